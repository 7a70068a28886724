"""Reads a journal while it is being written, frame by frame, from where it stopped."""

from pathlib import Path

from engine.storage.records import JournalRecord
from engine.storage.segment import (
    HEADER_BYTES,
    JournalError,
    check_header,
    decode_record,
    frames,
    segment_path,
    segment_paths,
)


class JournalTail:
    """`read` gives what is new since the last call. Only whole frames are seen; nothing is ever locked.

    Reading begins behind record `after`, with which a segment must end.
    """

    def __init__(self, folder: Path, *, after: int = 0) -> None:
        self._folder = folder
        self._path: Path | None = None
        self._offset = HEADER_BYTES
        self.next_sequence = after + 1

    def read(self, limit: int = 5_000) -> list[tuple[int, JournalRecord]]:
        """At most about `limit` new records with their sequence; an empty list when there are none yet.

        JournalError when the files needed are missing or not readable.
        """
        found: list[tuple[int, JournalRecord]] = []
        while len(found) < limit and self._find_file():
            before = len(found)
            self._read_file(found, limit)
            following = segment_path(self._folder, self.next_sequence)
            if following != self._path and following.exists():
                self._open(following, self.next_sequence)
            elif len(found) == before:
                break
        return found

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

    def _read_file(self, found: list[tuple[int, JournalRecord]], limit: int) -> None:
        if self._path is None:
            return
        with self._path.open("rb") as file:
            file.seek(self._offset)
            data = file.read()
        start = self._offset
        for sequence, payload, end in frames(data, 0, self.next_sequence):
            found.append((sequence, decode_record(payload, self._path.name, sequence)))
            self._offset = start + end
            self.next_sequence = sequence + 1
            if len(found) >= limit:
                return
