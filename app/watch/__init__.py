"""Drives a command by a resource's schedule: `lectern watch`. It knows the service by HTTP alone."""
