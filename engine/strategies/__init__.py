"""Strategies, each in a file of its name; `base.registry` imports them when they are asked for."""
