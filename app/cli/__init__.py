"""The `lectern` command."""
