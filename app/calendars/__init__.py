"""Campus days said once: calendars that documents name, and recordings that follow them."""
