"""What is booked where: rooms' encoders as Kaltura knows them, and what is in the way of a session."""
