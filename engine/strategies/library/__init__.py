"""The project's own strategies, each in a file of its name; `base.registry` imports them when asked for."""
