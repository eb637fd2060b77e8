"""Recordings: the document, the chains that put it into Kaltura, and what is shown of them."""
