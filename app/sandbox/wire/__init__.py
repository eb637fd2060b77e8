"""How the sandbox is spoken to: Kaltura's protocol, values as PHP reads them, pages of lists."""
