"""Telling a write that never finished from damage to what had been written.

The bytes behind the last record that can be read are searched to the end of the file, at every place where
a frame could begin. A whole frame written after the bad one had been flushed proves damage, however far
behind it stands. Without such a frame nobody was ever told that the write was done: a torn tail.
"""

from collections.abc import Iterator

import msgspec
import numpy as np

from engine.journal.segment import FRAME_BYTES, SEQUENCE_OFFSET, JournalError, durable_at, payload_at

_WORD = 8


class Torn(msgspec.Struct, frozen=True):
    """A tail that was never finished. `last` is the newest record that may have been in it."""

    first: int
    last: int
    size_bytes: int

    def sentence(self, name: str) -> str:
        """What was lost, for a person."""
        which, verb = named(self.first, self.last)
        return f"{which} at the end of {name} {verb} dropped: the write was cut off before it was finished"


def examine_tail(data: bytes, name: str, end: int, bad: int) -> Torn | None:
    """What stands behind `end`, where record `bad` should begin and cannot be read; None for zeros.

    JournalError names the records that are damaged, when a later one proves that they had been flushed.
    """
    written = data[end:].rstrip(b"\0")
    if not written:
        return None
    whole = list(_whole_frames(data, end, bad))
    if any(durable >= bad for _, durable in whole):
        gaps = list(_missing(bad, [sequence for sequence, _ in whole]))
        which = " and ".join(named(first, last)[0] for first, last in gaps)
        verb = named(*gaps[0])[1] if len(gaps) == 1 else "are"
        raise JournalError(
            f"{which} in {name} {verb} damaged: record {gaps[0][1] + 1} is whole and was written later, so "
            "this is no unfinished write; restore the file from a copy"
        )
    return Torn(bad, max((sequence for sequence, _ in whole), default=bad), len(written))


def newest_whole(data: bytes, start: int, sequence: int) -> int:
    """Sequence of the newest whole frame from `start` on, where record `sequence` should begin; one less when
    there is none."""
    return max((found for found, _ in _whole_frames(data, start, sequence - 1)), default=sequence - 1)


def named(first: int, last: int) -> tuple[str, str]:
    """Those records in words, and the verb that fits."""
    return (f"record {first}", "is") if first == last else (f"records {first} to {last}", "are")


def _missing(sequence: int, found: list[int]) -> Iterator[tuple[int, int]]:
    """Gaps from `sequence` on in an ascending list."""
    for one in found:
        if one > sequence:
            yield sequence, one - 1
        sequence = one + 1


def _whole_frames(data: bytes, start: int, bad: int) -> Iterator[tuple[int, int]]:
    """Sequence and `durable` of every frame behind a bad one, wherever it begins, ascending."""
    highest = bad + (len(data) - start) // FRAME_BYTES
    end = start
    for at in _places(data, start + SEQUENCE_OFFSET, bad, highest):
        frame = at - SEQUENCE_OFFSET
        sequence = int.from_bytes(data[at : at + _WORD], "little")
        payload = payload_at(data, frame, sequence) if frame >= end and sequence > bad else None
        if payload is not None:
            yield sequence, durable_at(data, frame)
            end, bad = frame + FRAME_BYTES + len(payload), sequence


def _places(data: bytes, start: int, low: int, high: int) -> list[int]:
    """Where a number above `low` and up to `high` stands, aligned or not, ascending."""
    found = []
    for offset in range(start, min(start + _WORD, len(data) - _WORD + 1)):
        words = np.frombuffer(data, "<u8", (len(data) - offset) // _WORD, offset)
        found.append(np.flatnonzero((words > low) & (words <= high)) * _WORD + offset)
    return sorted(np.concatenate(found).tolist()) if found else []
