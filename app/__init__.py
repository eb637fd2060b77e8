"""Lectern: one JSON document in, a scheduled Kaltura recording series out."""
