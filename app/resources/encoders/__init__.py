"""What is known of the encoders themselves: when each last polled, and what it says of itself."""
