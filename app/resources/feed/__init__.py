"""What encoders poll: a resource's next occurrences, mostly from memory."""
