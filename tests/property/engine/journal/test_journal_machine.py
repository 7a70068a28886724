"""A journal against a plain list: appends, flushes, rotations, restarts and crashes in any order."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.journal.journal import JournalOptions
from engine.journal.recovered import read_folder
from engine.journal.segment import segment_paths
from engine.journal.tail import JournalTail
from engine.model.records import SCHEMA_VERSION, JournalRecord, Start, Stop
from tests.support.journal_rig import leaving, note, opened, read_records

OPTIONS = JournalOptions(segment_bytes=2_048, reserve_bytes=1_024, sync=False)


class JournalMachine(RuleBasedStateMachine):
    """`model` holds every record ever appended; the first `durable` of them were flushed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="journal-"))
        self.model: list[JournalRecord] = []
        self.durable = 0
        self.state: bytes | None = None
        self.state_at = 0
        self.starts = 0
        self.tail = JournalTail(self.folder)
        self.tailed: list[JournalRecord] = []
        self.open()

    def open(self) -> None:
        self.journal, found = opened(self.folder, options=OPTIONS)
        self.starts += 1
        assert self.journal.fencing == self.starts
        assert self.journal.engine_id == "abcdef"
        assert found.state == self.state
        assert [record for _, record in found.records] == self.model[self.state_at : self.durable]
        self.model = self.model[: self.durable]
        self.model.append(Start("abcdef", self.starts, "demo:test", SCHEMA_VERSION, 1))
        self.durable = len(self.model)

    @rule(size=st.integers(0, 400), essential=st.booleans())
    def append(self, size: int, essential: bool) -> None:
        record = leaving(len(self.model)) if essential else note(len(self.model), size)
        assert self.journal.append(record) == len(self.model) + 1
        self.model.append(record)

    @rule()
    def flush(self) -> None:
        self.journal.flush()
        self.durable = len(self.model)

    @rule(state=st.binary(max_size=50))
    def rotate(self, state: bytes) -> None:
        self.journal.rotate(state)
        self.durable = self.state_at = len(self.model)
        self.state = state

    @rule()
    def restart(self) -> None:
        self.journal.close(2)
        self.model.append(Stop(2))
        self.durable = len(self.model)
        self.open()

    @rule(torn=st.binary(max_size=60))
    def crash(self, torn: bytes) -> None:
        """What was not flushed is gone, and a piece of an unfinished write may stand at the end."""
        self.durable = self.journal.durable_sequence  # a full segment flushes by itself
        end = read_folder(self.folder, None).end
        _, path = segment_paths(self.folder)[-1]
        self.journal._pending.clear()
        self.journal._failure = "crashed"
        self.journal.close(0)
        with path.open("r+b") as file:
            file.seek(end)
            file.write(torn)
        self.open()

    @rule()
    @precondition(lambda self: len(self.tailed) < len(self.model))
    def follow(self) -> None:
        self.tailed += [record for _, record in self.tail.read()]
        assert self.tailed == self.model[: len(self.tailed)]
        assert len(self.tailed) == self.journal.durable_sequence

    @invariant()
    def everything_flushed_can_be_read(self) -> None:
        kept = [record for _, record in read_records(self.folder)]
        assert kept == self.model[: self.journal.durable_sequence]
        assert self.journal.durable_sequence >= self.durable

    def teardown(self) -> None:
        self.journal.close(3)
        shutil.rmtree(self.folder)


TestJournalMachine = JournalMachine.TestCase
TestJournalMachine.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
