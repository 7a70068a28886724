"""The validator as people start it: exit codes, files, and the way in from inside `engine/`."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.backtest.data.samples import dataset
from engine.backtest.parity.command import app

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "engine" / "backtest" / "configs" / "validate_sample.json"


def _run(*words: str | Path, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess[str]:
    module = "backtest.validate_runner" if cwd == ROOT / "engine" else "engine.backtest.validate_runner"
    environment = {**os.environ, **env}
    if cwd not in {ROOT, ROOT / "engine"}:
        environment["PYTHONPATH"] = str(ROOT)
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, words)],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def _config(folder: Path, names: tuple[str, ...] = ("ppo",), **changes: object) -> Path:
    """Some cases of the sample configuration, with absolute paths."""
    raw = json.loads(SAMPLE.read_text("utf-8"))
    raw["cases"] = [case for case in raw["cases"] if case["name"] in names]
    for case in raw["cases"]:
        case["reference"] = str(ROOT / case["reference"])
        case.update(changes)
    path = folder / "config.json"
    path.write_text(json.dumps(raw))
    return path


def test_from_inside_engine_it_is_the_same_command(tmp_path: Path):
    words = ("--config", "backtest/configs/validate_sample.json", "--out", tmp_path / "out")
    done = _run(*words, cwd=ROOT / "engine")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("100.00%") == 20
    parity = json.loads((tmp_path / "out" / "parity.json").read_text("utf-8"))
    assert {case["parity"] for case in parity["cases"]} == {1.0}
    assert {case["engine"] for case in parity["cases"]} == {"event", "kernel"}
    assert all(case["first_divergence"] is None for case in parity["cases"])


def test_a_divergence_is_exit_1_and_is_told_in_all_outputs(tmp_path: Path):
    config = _config(tmp_path)
    raw = json.loads(config.read_text("utf-8"))
    raw["cases"][0]["params"]["max_holding_strict"] = True
    config.write_text(json.dumps(raw))
    out = tmp_path / "out"
    done = _run("--config", config, "--out", out)
    assert done.returncode == 1, done.stderr
    assert done.stdout.endswith(f"written to {out}\n")
    assert "likely cause: rule: with max_holding_strict False" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == ["pairs.csv", "parity.html", "parity.json"]
    case = json.loads((out / "parity.json").read_text("utf-8"))["cases"][0]
    wanted = {"name", "engine", "reference_trades", "generated_trades", "matched", "parity", "columns"}
    assert wanted | {"rounding_cells", "first_divergence"} <= set(case)
    assert case["parity"] < 1.0
    assert case["first_divergence"]["cause"] == "rule"
    with (out / "pairs.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert sum(row["match"] == "True" for row in rows if row["engine"] == "kernel") == case["matched"]
    page = (out / "parity.html").read_text("utf-8")
    assert "first divergence" in page
    assert "<script src=" not in page
    again = _run("--config", config, "--out", out)
    assert again.stdout.endswith(f"written to {out}, replaces the report of an earlier run there\n")


def test_the_picture_of_a_divergence_is_fitted_to_the_prices_it_shows(tmp_path: Path):
    config = _config(tmp_path, params={"max_holding_strict": True})
    assert _run("--config", config, "--out", tmp_path / "out").returncode == 1
    page = (tmp_path / "out" / "parity.html").read_text("utf-8")
    decoder = json.JSONDecoder()
    start = page.index("[", page.index("Plotly.newPlot(", page.index("<body>")))
    traces, end = decoder.raw_decode(page, start)
    layout, _ = decoder.raw_decode(page, page.index("{", end))
    first, last = layout["xaxis"]["range"]
    bars = dataset("sample-1h")
    shown = (bars.open_time_ns / 1e6 >= first) & (bars.open_time_ns / 1e6 <= last)
    low, high = layout["yaxis"]["range"]
    assert low < bars.low[shown].min() < bars.high[shown].max() < high
    assert high - low < 1.2 * (bars.high[shown].max() - bars.low[shown].min())
    # Browsers keep 16 WebGL canvases: with ten cases of that kind the first pictures go blank.
    assert {trace["type"] for trace in traces} == {"scatter"}


def test_another_list_may_take_a_cases_place(tmp_path: Path):
    config = _config(tmp_path, ("ppo", "tema"))
    other = ROOT / "research" / "datasets" / "lists" / "tema.csv"
    done = _run("--config", config, "--reference", f"ppo={other}")
    assert done.returncode == 1
    assert "469" in done.stdout


def test_bad_input_is_exit_2_of_the_process_too(tmp_path: Path):
    done = _run("--config", tmp_path / "none.json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1


def test_min_parity_decides(tmp_path: Path):
    config = _config(tmp_path)
    raw = json.loads(config.read_text("utf-8"))
    raw["cases"][0]["broker"]["commission_percent"] = 0.051
    config.write_text(json.dumps(raw))
    assert _run("--config", config).returncode == 1
    config.write_text(json.dumps(raw | {"min_parity": 0.0}))
    assert _run("--config", config).returncode == 0


def test_a_script_of_ones_own_is_validated_by_the_event_driven_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    source = """
from engine.strategies.base import ScriptStrategy


class EveryTenth(ScriptStrategy):
    name = "every_tenth"

    def on_bar(self, bar, broker):
        if broker.bar_index % 10 == 0:
            broker.entry("T", "long" if broker.position_size <= 0 else "short", comment="Turn")
"""
    (tmp_path / "tenth_script.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    head = "Trade #,Type,Date and time,Signal,Price USDT,Quantity\n"
    bars = dataset("sample-1h")
    rows = [
        f"1,Entry long,2023-01-01 01:00,Turn,{bars.open[1]},1\n",
        f"1,Exit long,2023-01-01 11:00,Turn,{bars.open[11]},1\n",
    ]
    (tmp_path / "list.csv").write_text(head + "".join(rows))
    config = _config(
        tmp_path,
        strategy="tenth_script:EveryTenth",
        params={},
        broker={"qty": 1},
        reference=str(tmp_path / "list.csv"),
        history_end="2023-01-01T12:00:00Z",
    )
    words = ["--config", str(config), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 1, done.stderr
    (case,) = json.loads((tmp_path / "out" / "parity.json").read_text("utf-8"))["cases"]
    assert (case["engine"], case["matched"], case["extra"]) == ("event", 1, 1)


MAGNIFIED = """
from engine.strategies.base import ScriptStrategy


class Bracket(ScriptStrategy):
    name = "bracket"

    def on_bar(self, bar, broker):
        if broker.bar_index == 0:
            broker.entry("L", "long")
            broker.exit("X", "L", limit=102, stop=98, comment_profit="TP", comment_loss="SL")
"""


def test_finer_bars_of_a_case_decide_what_was_met_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "magnified_script.py").write_text(MAGNIFIED)
    monkeypatch.syspath_prepend(tmp_path)
    head = "open_time,open,high,low,close\n"
    (tmp_path / "X_1h.csv").write_text(
        head + "2025-01-01T00:00:00Z,100,100,100,100\n2025-01-01T01:00:00Z,100,103,98,100\n"
    )
    (tmp_path / "X_30m.csv").write_text(
        head + "2025-01-01T01:00:00Z,100,103,100,101\n2025-01-01T01:30:00Z,101,101,98,100\n"
    )
    (tmp_path / "list.csv").write_text(
        "Trade #,Type,Date and time,Signal,Price USDT,Quantity\n"
        "1,Entry long,2025-01-01 01:00,L,100,1\n1,Exit long,2025-01-01 01:00,TP,102,1\n"
    )
    given = {
        "bars": str(tmp_path / "X_1h.csv"),
        "strategy": "magnified_script:Bracket",
        "params": {},
        "broker": {"qty": 1},
        "reference": str(tmp_path / "list.csv"),
        "history_start": None,
    }
    codes = []
    for finer in ({}, {"finer": str(tmp_path / "X_30m.csv")}):
        config = _config(tmp_path, **given, **finer)
        codes.append(CliRunner().invoke(app, ["--config", str(config)], catch_exceptions=False).exit_code)
    assert codes == [1, 0]
    swapped = {**given, "bars": str(tmp_path / "X_30m.csv"), "finer": str(tmp_path / "X_1h.csv")}
    assert "X_1h.csv: finer bars of X are 1h long, expected shorter than 30m" in _sentence(
        "--config", _config(tmp_path, **swapped)
    )


def _sentence(*words: str | Path) -> str:
    """What is said to arguments that are refused; in this process, because there are many."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 2, (done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.startswith("validate_runner: ")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_missing_lists_are_one_sentence_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SHARED", str(tmp_path / "nowhere"))
    config = ROOT / "engine" / "backtest" / "configs" / "validate_pine_parity.json"
    out = tmp_path / "out"
    said = _sentence("--config", config, "--out", out)
    assert "nowhere" in said
    assert not out.exists()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"strategy": "rsy"}, "there is no strategy 'rsy' (did you mean rsi?); allowed: bband"),
        ({"params": {"lenght": 3}}, "parameter lenght"),
        ({"params": {"fast_length": 0}}, "parameter fast_length"),
        ({"reference": "none.csv"}, "none.csv: cannot be read"),
        ({"reference": "${NOT_SET}/list.csv"}, "NOT_SET is not set"),
        ({"bars": "none.parquet"}, "none.parquet: no such file"),
        ({"utc_offset_hours": 99}, "utc_offset_hours"),
        ({"time_zone": "Mars/Base"}, "no time zone 'Mars/Base'"),
        ({"time_zone": "America"}, "no time zone 'America'"),
        ({"time_zone": "America/New_York", "utc_offset_hours": -5}, "only one of time_zone and utc_offset"),
        ({"history_end": "2020-01-01T00:00:00Z"}, "2020-01-01"),
        ({"params": {"upper": float("nan")}}, "parameter upper"),
        ({"broker": {"cash": float("inf")}}, "broker.cash"),
        ({"history_start": "01/05/2023"}, "history_start: '01/05/2023' is not a time"),
        ({"history_start": "2040-01-01T00:00:00Z"}, "has no two bars from 2040-01-01 00:00 UTC on"),
        ({"broker": {"cash": 1, "qty": 1}}, "only one of cash"),
        ({"broker": {"commision": 1}}, "commision"),
    ],
)
def test_bad_input_is_one_sentence(tmp_path: Path, changes: dict[str, object], says: str):
    assert says in _sentence("--config", _config(tmp_path, **changes))


def test_an_option_that_cannot_be_is_not_blamed_on_the_file(tmp_path: Path):
    said = _sentence("--config", _config(tmp_path), "--gaps", "x")
    assert said == "validate_runner: command line: gaps is \"x\", it should be 'refuse', 'keep' or 'fill'\n"


@pytest.mark.parametrize("text", ["{", "[]", '{"cases": []}', '{"bars": "x", "cases": [{"name": "a"}]}'])
def test_a_file_that_is_no_configuration_is_one_sentence(tmp_path: Path, text: str):
    path = tmp_path / "config.json"
    path.write_text(text)
    assert "config.json" in _sentence("--config", path)


def test_json_nested_too_deep_is_one_sentence(tmp_path: Path):
    path = tmp_path / "config.json"
    path.write_text("[" * 100_000)
    done = _run("--config", path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)


@pytest.mark.parametrize("name", [":Script", "../x:Script", "no.such:Script", "json:JSONDecoder"])
def test_a_strategy_that_is_no_class_of_a_module_is_one_sentence(tmp_path: Path, name: str):
    assert name in _sentence("--config", _config(tmp_path, strategy=name))


def test_a_reference_to_an_unknown_case_is_one_sentence(tmp_path: Path):
    config = _config(tmp_path)
    assert "no such case" in _sentence("--config", config, "--reference", "nix=list.csv")
    assert "expected NAME=FILE" in _sentence("--config", config, "--reference", "ppo")


def test_paths_are_relative_to_the_working_directory(tmp_path: Path):
    config = _config(tmp_path)
    raw = json.loads(config.read_text("utf-8"))
    source = Path(raw["cases"][0]["reference"])
    (tmp_path / "here.csv").write_bytes(source.read_bytes())
    raw["cases"][0]["reference"] = "${LISTS:-.}/here.csv"
    config.write_text(json.dumps(raw))
    done = _run("--config", "config.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
