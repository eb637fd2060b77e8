"""The command line, as whoever runs Lectern meets it."""
