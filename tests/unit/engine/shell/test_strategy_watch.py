"""Who blocks the loop is named; who ends the process twice in a run is left out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.model.bars import Bar
from engine.shell import strategy_watch
from engine.shell.strategy_watch import StrategyWatch, deaths_at_work
from engine.strategies.slot import StrategySlot
from tests.support.engine_rig import spec
from tests.support.places import ROOT

BAR = Bar("BTCUSDT", 10**9, 1_700_000_000 * 10**9, 100.0, 100.0, 100.0, 100.0)


def note_of_a_death(folder: Path, slot: StrategySlot) -> None:
    """What is left of an engine that was killed with a bar in a strategy's hands."""
    watch = StrategyWatch(folder, lambda *_: None)
    watch.begin(slot, BAR)
    watch.close()


def test_a_strategy_is_left_out_after_the_second_death_of_a_run(tmp_path: Path) -> None:
    slot = StrategySlot(spec(), "BTCUSDT")
    note_of_a_death(tmp_path, slot)
    assert deaths_at_work(tmp_path, same_run=False) == []
    note_of_a_death(tmp_path, slot)
    (first,) = deaths_at_work(tmp_path, same_run=True)
    assert (first.strategy, first.symbol, first.times, first.is_final) == (slot.owner, "BTCUSDT", 1, False)
    assert first.bar_open_ns == BAR.open_time_ns
    note_of_a_death(tmp_path, slot)
    (second,) = deaths_at_work(tmp_path, same_run=True)
    assert second.is_final
    StrategyWatch(tmp_path, lambda *_: None).close()
    assert deaths_at_work(tmp_path, same_run=True) == [second]
    assert deaths_at_work(tmp_path, same_run=False) == []


def test_a_death_between_two_bars_is_no_strategys(tmp_path: Path) -> None:
    watch = StrategyWatch(tmp_path, lambda *_: None)
    watch.begin(StrategySlot(spec(), "BTCUSDT"), BAR)
    watch.end()
    watch.close()
    assert deaths_at_work(tmp_path, same_run=True) == []


@pytest.mark.parametrize("content", [b"", b"\x00" * 512, b"a\nb\n", b"a\nb\nc\n\x00", b"\xff" * 512])
def test_a_note_that_says_nothing_names_nobody(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "strategy_at_work").write_bytes(content)
    (tmp_path / "strategy_deaths.json").write_bytes(content)
    assert deaths_at_work(tmp_path, same_run=True) == []


def test_who_blocks_the_loop_is_named_with_its_time_once_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    said: list[str] = []
    monkeypatch.setattr(strategy_watch, "perf_counter", lambda: now)
    watch = StrategyWatch(tmp_path, lambda *words: said.append(" ".join(words)))
    slot = StrategySlot(spec(), "BTCUSDT")

    def take(seconds: float, at: float) -> None:
        nonlocal now
        now = at
        watch.begin(slot, BAR)
        now = at + seconds
        watch.end()

    take(0.1, 1.0)
    assert said == []
    take(2.1, 2.0)
    assert f"{slot.owner} on BTCUSDT took 2.1 s for bar " in said[0]
    take(2.2, 5.0)
    assert len(said) == 1
    take(4.3, 10.0)
    take(0.3, 80.0)
    assert [text.split(" took ")[1].split(" for ")[0] for text in said] == ["2.1 s", "4.3 s", "0.3 s"]
    watch.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_the_engine_cannot_be_forked() -> None:
    program = (
        "import os\n"
        "from engine.shell.strategy_watch import forbid_forks\n"
        "forbid_forks()\n"
        "try:\n"
        "    os.fork()\n"
        "except RuntimeError as error:\n"
        "    print(error, os.getpid())\n"
        "import subprocess\n"
        "print(subprocess.run(['true']).returncode)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("os.fork is not allowed in the engine") == 1
    assert done.stdout.endswith("\n0\n")
