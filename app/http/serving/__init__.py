"""The server: how many connections it holds, and for how long, and how it stops."""
