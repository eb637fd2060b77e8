"""Notices: what has come true, one row each, in an order that everybody can read on from."""
