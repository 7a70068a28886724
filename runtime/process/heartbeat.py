"""Heartbeat: each process writes a byte a second to its output pipe, the supervisor measures the silence.

The byte comes from the process's event loop, so a process that hangs falls silent although it exists. The
supervisor removes the byte from what it reads. This works on every platform.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterable
from typing import Protocol

BEAT = b"\x06"
"""ASCII "acknowledge"; part of no other character in UTF-8."""
BEAT_VARIABLE = "NEXTBAR_HEARTBEAT"
BEAT_SECONDS = 1.0
ANSWERS_WITHIN_SECONDS = 5.0
LONGEST_STEP_SECONDS = 1.0


def begin_to_beat(loop: asyncio.AbstractEventLoop) -> None:
    """Send the bytes while the loop runs, if a supervisor asks for them."""
    if os.environ.get(BEAT_VARIABLE) and sys.__stdout__ is not None:
        loop.call_later(BEAT_SECONDS, _beat, loop, sys.__stdout__.fileno())


def _beat(loop: asyncio.AbstractEventLoop, descriptor: int) -> None:
    with contextlib.suppress(OSError):  # the supervisor is gone: stdin ends too
        os.write(descriptor, BEAT)
        loop.call_later(BEAT_SECONDS, _beat, loop, descriptor)


class Beating(Protocol):
    """A watched process."""

    beats: int
    """Since its last start; 0 before the first."""

    def end_hanging(self, sentence: str) -> None:
        """Kill it, so that it is restarted."""
        ...


class _Silence:
    """Silence of one process, in seconds during which the supervisor itself ran."""

    __slots__ = ("alone_for", "beats", "for_seconds")

    def __init__(self) -> None:
        self.beats = 0
        self.for_seconds = 0.0
        self.alone_for = 0.0
        """Counted only while another process answered."""


class Liveness:
    """Kills processes that hang. Call `look` at least once a second.

    Only time counts in which the supervisor itself runs and another process answers (or no other is
    watched): a suspended or stalled machine is silent as a whole, which is no reason to restart anything.
    """

    def __init__(
        self, processes: Iterable[Beating], say: Callable[[str], None], silent_seconds: float
    ) -> None:
        self._silences = {process: _Silence() for process in processes}
        self._say = say
        self._limit = silent_seconds
        self._looked_at: float | None = None
        self._all_silent = False

    def look(self, now: float) -> None:
        """`now` is monotonic seconds."""
        step = 0.0 if self._looked_at is None else min(now - self._looked_at, LONGEST_STEP_SECONDS)
        self._looked_at = now
        watched = {process: one for process, one in self._silences.items() if process.beats}
        for process, one in self._silences.items():
            if process.beats != one.beats or not process.beats:
                one.beats, one.for_seconds, one.alone_for = process.beats, 0.0, 0.0
            else:
                one.for_seconds += step
        answering = [one for one in watched.values() if one.for_seconds <= ANSWERS_WITHIN_SECONDS]
        for process, one in watched.items():
            if one.for_seconds and (answering or len(watched) == 1):
                one.alone_for += step
            if one.alone_for >= self._limit:
                one.for_seconds = one.alone_for = 0.0
                process.end_hanging(f"has not answered for {self._limit:g} s: killing it")
        self._report_all_silent([one.for_seconds for one in watched.values()])

    def _report_all_silent(self, silences: list[float]) -> None:
        """Report once when more than one process is watched and none answers."""
        is_so = len(silences) > 1 and min(silences) >= self._limit
        if is_so and not self._all_silent:
            self._say(
                f"no process has answered for {self._limit:g} s: the machine seems to be stalled, "
                "nothing is restarted for that"
            )
        self._all_silent = is_so
