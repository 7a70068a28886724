"""Says that a first run compiles, before it does: a terminal or a pipe that stays empty looks broken."""

import sys
from functools import cache

from engine.compiled import functions as compiled


@cache
def say_when_compiling() -> None:
    """From now on, one line on the error stream before the first thing is compiled; once a process."""
    compiled.before_compiling(_say)


@cache
def _say() -> None:
    text = "compiling for the first time, which takes up to a minute and happens once"
    print(text, file=sys.stderr, flush=True)  # noqa: T201  # for a person who waits
