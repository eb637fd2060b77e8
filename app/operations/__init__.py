"""How the service is: health, readiness, checks and metrics."""
