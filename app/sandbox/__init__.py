"""A Kaltura simulator: behaves like the server that was recorded, faults and bad days on purpose included."""
