"""Errors that are for a person."""


class SentenceError(ValueError):
    """An error whose text is a whole sentence for a person."""
