"""Pine's verbs on the live exchange."""
