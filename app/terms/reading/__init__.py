"""What a client declares for a term, read: from bytes to the meetings that are to be recorded. Pure functions."""
