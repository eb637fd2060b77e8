"""Notices that are sent to whoever wants to be told: other systems, by webhooks, and people."""
