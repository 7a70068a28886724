"""Closes at market, and the stops and targets that rest at the exchange."""
