"""What a client says: the document, its fields, and what it comes to in time."""
