"""What a person should look at, computed from what is there."""
