"""What is shown of recordings."""
