"""Changing and cancelling what stands in Kaltura: patches, batches, single occurrences, drift."""
