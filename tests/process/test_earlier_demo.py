"""The whole demo goes on from files that an earlier version left in the middle of trading."""

import re
import shutil
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.process.demo_rig import Demo
from tests.process.turning import python_path
from tests.support import earlier_files as earlier

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the demo's rig finds processes in /proc")


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    left = earlier.unpacked("demo", tmp_path / "left")
    data = tmp_path / "home" / "data" / "demo"
    shutil.copytree(left / "simulator", data / "simulator")
    for path in (data / "simulator").iterdir():
        path.chmod(0o700 if path.is_dir() else 0o600)
    (data / "engine").mkdir()
    for name in ("journal", "tables.sqlite"):
        shutil.move(left / name, data / "engine" / name)
    config = (left / "configs" / "demo.toml").read_text("utf-8")
    one = Demo(tmp_path / "home", config=config, environment={"PYTHONPATH": python_path()})
    yield one
    one.abandon()


def test_a_demo_goes_on_from_the_files_of_an_earlier_version(demo: Demo) -> None:
    told = earlier.told("demo")
    demo.until(lambda status: status.fills >= 2, "two fills")
    summary = demo.end()
    assert Decimal(str(summary["start_wallet_balance"])) == Decimal(told["recovered"]["money"][0])
    assert "CRITICAL" not in demo.lines
    engine = demo.home / "data" / "demo" / "engine"
    kinds = earlier.journal_lines(engine)["kinds"]
    assert kinds["start"] == told["journal"]["kinds"]["start"] + 1
    assert kinds["adjustment"] == told["journal"]["kinds"]["adjustment"]
    rows, new, notes = earlier.tables_made(engine)
    assert rows["fills"]["rows"] == kinds["fill"] >= told["tables"]["fills"]["rows"] + 2
    assert (new, notes) == (sum(kinds.values()) - sum(told["journal"]["kinds"].values()), [])
    found = {re.sub(r"\d{9,}", "N", path.relative_to(demo.home).as_posix()) for path in demo.home.rglob("*")}
    assert set(earlier.told("names")["files_of_a_demo"]) <= found
