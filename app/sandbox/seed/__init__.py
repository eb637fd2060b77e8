"""What a sandbox holds at its first start, or is given by a file."""
