"""Single occurrences of a recording, in what is theirs alone."""
