"""The one way to the exchange: orders are checked, sent, kept as wanted, and their fate found out."""
