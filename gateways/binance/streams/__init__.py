"""WebSocket streams: sockets, market data, synchronised books, the account's events."""
