"""Load that goes on for a while, and what must be true afterwards."""
