"""A terminal that takes no output stands in nobody's way."""

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from runtime.supervisor.console import Console
from runtime.supervisor.printer import MAX_WAITING_LINES
from tests.support.places import ROOT

LINE = "x" * 100
COUNT = 20_000
"""More than a pipe holds."""


def test_lines_that_nobody_takes_hold_up_nothing_and_the_newest_come_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "r") as reader, os.fdopen(writing, "w") as writer:
        monkeypatch.setattr(sys, "stdout", writer)
        console = Console(tmp_path / "log", quiet=False)

        def say_all() -> None:
            for number in range(COUNT):
                console("engine", f"{number} {LINE}")

        said = threading.Thread(target=say_all, daemon=True)
        said.start()
        said.join(30)
        assert not said.is_alive()
        found: list[str] = []

        def take() -> None:
            for line in reader:
                found.append(line)
                if line.startswith(f"[engine] {COUNT - 1} "):
                    return

        taken = threading.Thread(target=take, daemon=True)
        taken.start()
        taken.join(30)
        console.close()
    numbers = [int(line.split()[1]) for line in found if line.startswith("[engine]")]
    skipped = sum(int(line.split()[1]) for line in found if line.startswith("[supervisor]"))
    assert numbers == sorted(numbers)
    assert numbers[-MAX_WAITING_LINES:] == list(range(COUNT - MAX_WAITING_LINES, COUNT))
    assert len(numbers) + skipped == COUNT
    assert skipped > 0


def test_all_lines_come_in_order_before_and_after_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = io.StringIO()
    monkeypatch.setattr(sys, "stdout", output)
    console = Console(tmp_path / "log", quiet=False)
    for number in range(1_000):
        console.say(str(number))
    console.close()
    console.say("last")
    console.flush()
    assert output.getvalue().split() == [*map(str, range(1_000)), "last"]


def test_a_reader_that_has_gone_away_ends_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    output.close()
    monkeypatch.setattr(sys, "stdout", output)
    console = Console(tmp_path / "log", quiet=False)
    console.say("one")
    console.close()
    console.say("two")


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full")
def test_a_disk_without_room_for_the_log_is_told_once_and_holds_up_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    console = Console(Path("/dev/full"), quiet=False)
    for number in range(5):
        console("engine", f"{number}")
    console.close()
    said, complaints = capfd.readouterr()
    told = "[supervisor] /dev/full cannot be written: No space left on device"
    assert sorted(said.splitlines()) == sorted([*(f"[engine] {number}" for number in range(5)), told])
    assert complaints == ""


STALLED = """
import sys
from pathlib import Path
from runtime.supervisor.console import Console
console = Console(Path(sys.argv[1]), quiet=False)
for number in range(20_000):
    console("engine", f"{number} " + "x" * 100)
console.close()
console.say("position BTCUSDT 0.007 stays open")
console.flush()
sys.exit(3)
"""


def test_a_process_ends_with_its_own_code_though_nobody_reads(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STALLED, str(tmp_path / "log")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        assert process.wait(60) == 3
        assert process.stderr is not None
        assert process.stderr.read() == b""
    finally:
        process.kill()
        process.communicate()
