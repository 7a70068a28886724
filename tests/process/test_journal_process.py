"""A writer that really dies, and a disk that is really full."""

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.journal.recovered import read_folder
from engine.model.records import Intent
from tests.support.journal_rig import opened
from tests.support.order_events import intent

ROOT = Path(__file__).resolve().parents[2]


def run(code: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
@pytest.mark.parametrize("seed", range(5))
def test_a_killed_writer_loses_no_record_whose_flush_returned(tmp_path: Path, seed: int):
    writer = subprocess.Popen(
        [sys.executable, "-m", "tests.support.journal_rig", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    acknowledged = 0
    wanted = random.Random(seed).randrange(1, 1_500)
    for line in writer.stdout:
        if not line.endswith("\n"):
            break
        acknowledged = int(line)
        if acknowledged >= wanted and writer.poll() is None:
            writer.kill()
    assert writer.wait() == -signal.SIGKILL
    writer.stdout.close()
    journal, found = opened(tmp_path)
    numbers = [sequence for sequence, record in found.records if isinstance(record, Intent)]
    first = 2 if found.state is None else 1 + int(found.state)
    assert numbers == list(range(first, first + len(numbers)))
    assert found.next_sequence > acknowledged
    assert [record for _, record in found.records if isinstance(record, Intent)] == [
        intent(number) for number in numbers
    ]
    journal.close(1)
    assert read_folder(tmp_path, None).next_sequence == found.next_sequence + 2


def test_the_lock_dies_with_its_process(tmp_path: Path):
    code = (
        "import sys, os; from pathlib import Path; from tests.support.journal_rig import opened\n"
        "opened(Path(sys.argv[1])); os._exit(3)"
    )
    assert run(code, str(tmp_path)).returncode == 3
    opened(tmp_path)[0].close(1)


def test_a_second_process_is_refused_in_one_sentence(tmp_path: Path):
    journal, _ = opened(tmp_path)
    code = (
        "import sys; from pathlib import Path; from tests.support.journal_rig import opened\n"
        "from engine.journal.journal import JournalError\n"
        "try: opened(Path(sys.argv[1]))\n"
        "except JournalError as error: print(error)"
    )
    said = run(code, str(tmp_path)).stdout
    assert said.startswith(f"another engine (process {os.getpid()}) is using {tmp_path}; ")
    assert said.count("\n") == 1
    journal.close(1)


FULL_DISK = """
import resource, sys
from pathlib import Path
from engine.journal.journal import JournalError, JournalFull, JournalOptions
from tests.support.journal_rig import leaving, note, opened
journal, _ = opened(Path(sys.argv[1]), options=JournalOptions(segment_bytes=65_536, reserve_bytes=8_192))
resource.setrlimit(resource.RLIMIT_FSIZE, (73_727, 73_727))
try:
    while True: journal.append(note(1, 500))
except JournalFull: pass
try:
    while True: journal.append(leaving(1))
except JournalError as error: print(error)
print(journal.accepts_entries)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_where_no_further_file_fits_entries_stop_and_exits_use_the_reserve(tmp_path: Path):
    done = run(FULL_DISK, str(tmp_path))
    assert done.returncode == 0, done.stderr
    said, accepts_entries = done.stdout.splitlines()
    assert said == f"the disk of {tmp_path} is full and the journal's reserve is used up"
    assert accepts_entries == "False"


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_disk_without_room_refuses_to_open_in_one_sentence(tmp_path: Path):
    code = (
        "import resource, sys; from pathlib import Path; from tests.support.journal_rig import opened\n"
        "from engine.journal.journal import JournalError\n"
        "import engine.journal.crc32c as c; c.crc32c(b'')\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "try: opened(Path(sys.argv[1]))\n"
        "except JournalError as error: print(error)"
    )
    done = run(code, str(tmp_path))
    assert done.stdout.startswith(f"{tmp_path} cannot be used for the journal: "), done.stderr
    assert not list(tmp_path.glob("journal-*"))
