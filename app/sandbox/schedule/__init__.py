"""Schedule events as Kaltura makes, keeps and finds them."""
