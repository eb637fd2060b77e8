"""The durable engine: a chain runs its steps in order, and goes on where it stopped. Knows no Kaltura and no HTTP."""
