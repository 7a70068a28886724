"""What a strategy is, how one is defined, found and called."""
