"""What is booked where: the resources that Kaltura knows, and what is in the way of an occurrence."""
