"""What a term's declaration comes to: meetings with their times, sessions and documents. Pure functions."""
