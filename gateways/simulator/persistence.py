"""Keeps the exchange's state in a folder so that it survives a kill at any moment."""

from pathlib import Path

from gateways.simulator.exchange import Exchange


class Persistence:
    """Journal and snapshots of one exchange in one folder.

    `restore` fills a fresh exchange before the market starts. `commit` makes everything that changed
    since the last commit durable as one record (nothing changed: it returns at once without touching the
    disk); call it after every request before answering and before handing out user events, and after
    every market step. One process a folder.
    """

    def __init__(self, folder: Path, exchange: Exchange) -> None:
        raise NotImplementedError

    def restore(self) -> bool:
        """Load what the folder holds; return False when it was empty."""
        raise NotImplementedError

    def commit(self) -> bool:
        """Write and flush what changed; return whether there was anything."""
        raise NotImplementedError

    def snapshot(self) -> None:
        """Write the whole state and start a new journal."""
        raise NotImplementedError

    def close(self) -> None:
        """Commit, snapshot and close (orderly stop)."""
        raise NotImplementedError
