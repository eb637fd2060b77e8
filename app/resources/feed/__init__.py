"""What encoders poll: a resource's next sessions, mostly from memory."""
