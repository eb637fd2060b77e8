"""The soak: many documents in a storm of faults and kills, and afterwards an account of all that is there."""
