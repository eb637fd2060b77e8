"""Pure time: which sessions a rule means, and the events that make Kaltura generate exactly those."""
