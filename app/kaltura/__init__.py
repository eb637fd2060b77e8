"""The one way to Kaltura: sessions, exchanges, and every action as a checked method."""
