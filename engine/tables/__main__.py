"""`python -m engine.tables`."""

from engine.tables.command import app

app()
