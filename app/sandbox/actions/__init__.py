"""What the sandbox can do: a module for each of Kaltura's services."""
