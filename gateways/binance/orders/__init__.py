"""Orders: their requests, the sender that sends them, the dead man's switch."""
