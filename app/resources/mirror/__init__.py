"""Lectern's copy of what Kaltura has scheduled on each resource, and what differs from what was asked for."""
