"""Plans are carried out: through the same functions as requests, a few chains at once."""
