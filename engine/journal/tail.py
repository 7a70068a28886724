"""Reads a journal while it is being written, frame by frame, from where it stopped."""

from pathlib import Path

import numpy as np

from engine.journal.damage import examine_tail, named, newest_whole
from engine.journal.segment import (
    HEADER_BYTES,
    JournalError,
    check_header,
    decode_record,
    frames,
    segment_path,
    segment_paths,
)
from engine.model.records import JournalRecord

Frame = tuple[int, JournalRecord, bytes]
"""A record with its sequence and the bytes it is written in."""


class JournalTail:
    """`read` gives what is new since the last call. Only whole frames are seen; nothing is ever locked.

    Reading begins behind record `after`, with which a segment must end.
    """

    def __init__(self, folder: Path, *, after: int = 0) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._offset = HEADER_BYTES
        self.next_sequence = after + 1

    def begin_before(self, sequence: int) -> None:
        """Read from the beginning of the file that holds that record."""
        firsts = [first for first, _ in segment_paths(self._folder) if first <= sequence]
        self._path = None
        self.next_sequence = max(firsts, default=1)

    def read(self, limit: int = 5_000) -> list[tuple[int, JournalRecord]]:
        """At most about `limit` new records with their sequence; an empty list when there are none yet.

        JournalError when the files needed are missing, not readable, or damaged at the next record.
        """
        return [(sequence, record) for sequence, record, _ in self.read_frames(limit)]

    def read_frames(self, limit: int = 5_000) -> list[Frame]:
        """As `read`, with the bytes of each record."""
        found: list[Frame] = []
        while len(found) < limit and self._find_file():
            before = len(found)
            rest = self._read_file(found, limit)
            following = segment_path(self._folder, self.next_sequence)
            if following != self._path and following.exists():
                self._open(following, self.next_sequence)
            elif len(found) == before:
                if not found and self._path is not None:
                    self._refuse_damage(self._path, rest)
                break
        return found

    def _refuse_damage(self, path: Path, rest: bytes) -> None:
        """Nothing more can be read here: whether nothing has been written, or nothing is readable.

        The writer may have gone on between two pieces of one reading: what looks damaged is read again.
        """
        if self._damage(path, rest) is not None:
            again = self._rest_of(path)
            error = self._damage(path, again)
            if error is not None and not any(frames(again, 0, self.next_sequence)):
                raise error

    def _damage(self, path: Path, rest: bytes) -> JournalError | None:
        later = [first for first, _ in segment_paths(self._folder) if first > self.next_sequence]
        try:
            words = np.frombuffer(rest, np.uint64, len(rest) // 8)  # eight times as quick as bytes
            if words.any() or any(rest[8 * len(words) :]):
                examine_tail(rest, path.name, 0, self.next_sequence)
        except JournalError as error:
            return error
        if not later:
            return None
        which, verb = named(self.next_sequence, later[0] - 1)
        return JournalError(
            f"{which} in {path.name} {verb} damaged or missing: the next file begins with {later[0]}"
        )

    def newest_sequence(self) -> int:
        """Of the newest record in the files that is whole, readable from here or not."""
        segments = segment_paths(self._folder)
        if not segments:
            return self.next_sequence - 1
        first, path = segments[-1]
        return newest_whole(path.read_bytes(), HEADER_BYTES, first)

    def _find_file(self) -> bool:
        if self._path is not None:
            return True
        segments = segment_paths(self._folder)
        if not segments:
            return False
        path = segment_path(self._folder, self.next_sequence)
        if (self.next_sequence, path) not in segments:
            raise JournalError(f"no segment in {self._folder} begins with record {self.next_sequence}")
        self._open(path, self.next_sequence)
        return True

    def _open(self, path: Path, first: int) -> None:
        with path.open("rb") as file:
            check_header(file.read(HEADER_BYTES), path.name, first, None)
        self._path, self._offset = path, HEADER_BYTES

    def _rest_of(self, path: Path) -> bytes:
        with path.open("rb") as file:
            file.seek(self._offset)
            return file.read()

    def _read_file(self, found: list[Frame], limit: int) -> bytes:
        """Put what can be read to `found`; returns the file's bytes from where it began to read."""
        if self._path is None:
            return b""
        data = self._rest_of(self._path)
        start = self._offset
        for sequence, payload, end in frames(data, 0, self.next_sequence):
            try:
                found.append((sequence, decode_record(payload, self._path.name, sequence), payload))
            except JournalError:
                if found:
                    break  # what was read counts; the next call says this again
                raise
            self._offset = start + end
            self.next_sequence = sequence + 1
            if len(found) >= limit:
                break
        return data
