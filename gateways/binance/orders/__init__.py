"""Orders: their requests, the desk that sends them, the dead man's switch."""
