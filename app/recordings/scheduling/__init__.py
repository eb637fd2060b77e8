"""Putting a new recording into Kaltura: the steps of its chain, in the order of the chain."""
