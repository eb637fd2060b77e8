"""The sandbox's memory: the tables, and the search engine's copy of them."""
