"""SQL: one engine, two kinds of transaction, and what every table shares."""
