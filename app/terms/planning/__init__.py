"""Plans are made, kept and shown."""
