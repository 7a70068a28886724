"""Requests: connections, the request budget, bans, the exchange's clock."""
