"""Signals that enter: how much, sent when, and what became of each."""
