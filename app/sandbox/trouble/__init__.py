"""Faults and bad days on purpose."""
