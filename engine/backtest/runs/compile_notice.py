"""Announces compilation before it starts: a terminal or pipe that stays empty looks broken."""

import sys
from functools import cache

from engine.compiled import functions as compiled


@cache
def announce_compiling() -> None:
    """Print one line to stderr before the first compilation; once per process."""
    compiled.before_compiling(_say)


@cache
def _say() -> None:
    text = "compiling for the first time, which takes up to a minute and happens once"
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # for a person who waits
