"""Says that a first run compiles, before it does: a terminal or a pipe that stays empty looks broken."""

import sys

from engine import compiled


def say_if_compiling() -> None:
    """One line on the error stream, at once, where the kernel has not been compiled on this machine yet."""
    if next(compiled.CACHE_FOLDER.rglob("cycle.*.nbi"), None) is None:
        print(  # noqa: T201  # for a person who waits
            "first run: compiling, which takes up to a minute and happens once", file=sys.stderr, flush=True
        )
