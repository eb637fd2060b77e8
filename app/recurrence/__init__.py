"""Pure time: which occurrences a rule means, and the events that make Kaltura generate exactly those."""
