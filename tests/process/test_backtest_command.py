"""`python -m engine.backtest` as people start it: tables, files, several processes, refusals."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numba.core.event
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet
import pytest
from typer.testing import CliRunner, Result

from engine.backtest import cli
from engine.backtest.parity.command import app as validate_app
from engine.backtest.runs import compile_notice
from engine.backtest.runs.config import build_config
from engine.backtest.strategy_list import meaning
from engine.strategies.base import registry

ROOT = Path(__file__).resolve().parents[2]
FILES = [
    "equity.parquet",
    "open_trades.parquet",
    "report.html",
    "report.txt",
    "summary.json",
    "trades.parquet",
]


def _here(*words: str | Path) -> Result:
    """In this process: quicker, and the same code from the words on."""
    argv = [str(word) for word in words]
    if argv[0] not in {"sample", "strategies"}:
        argv.insert(0, "run")
    return CliRunner().invoke(cli.app, list(cli.each_with_its_option(argv)))


def test_strategies_run_side_by_side_in_processes_of_their_own(tmp_path: Path):
    out = tmp_path / "out"
    words = "--strategy rsi cci --data sample-1h other-1h --jobs 2 --param cci.length=20 --out"
    done = subprocess.run(
        [sys.executable, "-m", "engine.backtest", *words.split(), str(out)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "120"},
    )
    assert done.returncode == 0, done.stderr
    assert "profit factor" in done.stdout
    assert sorted(path.name for path in (out / "rsi").iterdir()) == FILES
    assert sorted(path.name for path in out.iterdir()) == [
        "cci",
        "report.html",
        "report.txt",
        "rsi",
        "summary.json",
    ]
    runs = json.loads((out / "summary.json").read_text("utf-8"))["runs"]
    assert [one["name"] for one in runs] == ["rsi", "cci"]
    assert runs[1]["params"]["length"] == 20
    assert set(runs[0]["per_symbol"]) == {"SAMPLEUSDT", "OTHERUSDT"}
    alone = _here(
        "--strategy", "cci", "--data", "sample-1h", "other-1h", "--param", "length=20", "--out", out / "b"
    )
    assert alone.exit_code == 0
    again = json.loads((out / "b" / "summary.json").read_text("utf-8"))
    assert again["hashes"] == runs[1]["hashes"]


def test_what_is_written_is_what_was_traded(tmp_path: Path):
    done = _here(
        "--strategy", "mom", "--data", "calm-1h", "--param", "upper=1", "lower=-1", "--out", tmp_path / "a"
    )
    assert done.exit_code == 0, done.stderr
    summary = json.loads((tmp_path / "a" / "summary.json").read_text("utf-8"))
    trades = pa_parquet.read_table(tmp_path / "a" / "trades.parquet")
    equity = pa_parquet.read_table(tmp_path / "a" / "equity.parquet")
    assert trades.num_rows == summary["trades"] > 30
    assert sum(trades["pnl"].to_pylist()) == pytest.approx(summary["net_profit"])
    assert equity.num_rows == summary["data"][0]["bars"]
    assert equity["equity"][-1].as_py() == summary["final_equity"]
    assert sum(month["trades"] for month in summary["per_month"].values()) == summary["trades"]
    assert {"python", "numpy", "numba", "nextbar"} <= set(summary["versions"])
    page = (tmp_path / "a" / "report.html").read_text("utf-8")
    assert "<script src=" not in page
    assert "Monthly returns" in page
    text = (tmp_path / "a" / "report.txt").read_text("utf-8")
    assert summary["hashes"]["trades"] in text


def test_a_later_run_replaces_the_results_of_an_earlier_one_and_says_so(tmp_path: Path):
    words = ("--data", "sample-1h", "--end", "2023-02-01", "--out", tmp_path)
    assert "replaces the" not in _here("--strategy", "rsi", "cci", *words, "--no-page").output
    done = _here("--strategy", "mom", *words)
    assert done.output.rstrip().endswith(f"written to {tmp_path}, replaces the results of rsi, cci there")
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES
    (tmp_path / "report.txt").write_text("mine", "utf-8")
    refused = _here("--strategy", "mom", *words)
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"{tmp_path / 'report.txt'}: was changed since" in refused.stderr


@pytest.mark.parametrize(
    ("words", "source"),
    [
        ("--gaps x", "command line"),
        ("--start never", "command line"),
        ("--broker tick=-1", "command line"),
        ("--broker tick=0.1", "file"),
    ],
)
def test_what_is_wrong_is_blamed_on_the_option_or_the_file_it_stands_in(
    tmp_path: Path, words: str, source: str
):
    config = tmp_path / "run.json"
    raw = {"strategies": [{"strategy": "rsi"}], "data": ["sample-1h"], "broker": {}}
    if source == "file":
        raw["broker"] = {"cash": -1}
    config.write_text(json.dumps(raw), "utf-8")
    refused = _here("--config", config, *words.split())
    assert refused.exit_code == 2
    assert refused.stderr.startswith(f"backtest: {config if source == 'file' else source}: ")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--jobs x", "expected a whole number of 1 or more, not 'x'"),
        ("--jobs 0", "expected a whole number of 1 or more, not '0'"),
        ("--trades xls", "'xls' is neither parquet nor csv"),
    ],
)
def test_what_an_option_takes_is_said_in_plain_words(words: str, says: str):
    refused = _here("--strategy", "rsi", *words.split())
    assert refused.exit_code == 2
    assert says in " ".join(refused.stderr.replace("│", "").split())


def test_slippage_is_a_cost(tmp_path: Path):
    words = ["--strategy", "rsi", "--data", "sample-1h", "--broker", "commission_percent=0"]
    said = "commission and slippage are zero"
    assert said not in _here(*words, "slippage_ticks=1").output
    assert said in _here(*words, "slippage_ticks=0").output


def test_both_engines_write_the_same_trades(tmp_path: Path):
    hashes = set()
    for engine in ("kernel", "event"):
        words = (
            "--strategy",
            "bband",
            "--data",
            "sample-1h",
            "--engine",
            engine,
            "--no-page",
            "--trades",
            "csv",
        )
        assert _here(*words, "--exit", "stop_kind=resting", "--out", tmp_path / engine).exit_code == 0
        summary = json.loads((tmp_path / engine / "summary.json").read_text("utf-8"))
        hashes.add(summary["hashes"]["trades"])
        assert pa_csv.read_csv(tmp_path / engine / "trades.csv").num_rows == summary["trades"]
        assert not (tmp_path / engine / "report.html").exists()
    assert len(hashes) == 1


def test_a_configuration_file_with_options_on_top(tmp_path: Path):
    config = tmp_path / "run.json"
    raw = {
        "strategies": [
            {"strategy": "rsi", "name": "quick", "params": {"length": 7}},
            {"strategy": "rsi", "name": "slow", "params": {"length": 28}},
        ],
        "data": ["sample-1h"],
        "broker": {"cash": 1000, "commission_percent": 0.02},
    }
    config.write_text(json.dumps(raw))
    done = _here(
        "--config", config, "--start", "2023-06-01T00:00:00Z", "--out", tmp_path / "out", "--no-page"
    )
    assert done.exit_code == 0, done.stderr
    runs = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))["runs"]
    assert [one["name"] for one in runs] == ["quick", "slow"]
    assert runs[0]["data"][0]["first_open"] == "2023-06-01T00:00:00"
    assert runs[0]["hashes"]["config"] != runs[1]["hashes"]["config"]


def test_sample_markets_become_files_that_can_be_run(tmp_path: Path):
    done = _here("sample", "--out", tmp_path / "data", "--name", "sample-1h", "--format", "csv")
    assert done.exit_code == 0, done.stderr
    path = tmp_path / "data" / "SAMPLEUSDT_sample-1h.csv"
    assert path.is_file()
    hashes = []
    for data in (path, "sample-1h"):
        assert (
            _here("--strategy", "roc", "--data", data, "--out", tmp_path / "out", "--no-page").exit_code == 0
        )
        hashes.append(json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))["hashes"])
    assert hashes[0]["data"] == hashes[1]["data"]
    assert hashes[0]["trades"] == hashes[1]["trades"]


def test_a_script_of_ones_own_runs_beside_a_signal_strategy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = """
from engine.strategies.base import ScriptStrategy


class Turns(ScriptStrategy):
    name = "turns"

    def __init__(self, bars=10):
        self.bars = bars

    def on_bar(self, bar, broker):
        if broker.bar_index % self.bars == 0:
            broker.entry("T", "long" if broker.position_size <= 0 else "short")
"""
    (tmp_path / "my_scripts.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    words = ("--strategy", "my_scripts:Turns", "rsi", "--data", "sample-1h", "calm-1h", "--param")
    done = _here(*words, "my_scripts:Turns.bars=20", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    run = json.loads((tmp_path / "out" / "Turns" / "summary.json").read_text("utf-8"))
    assert (run["engine"], run["params"], run["trades"]) == ("event", {"bars": 20}, 2 * (8760 // 20 - 1))
    assert (tmp_path / "out" / "Turns" / "report.html").is_file()
    wrong = _here("--strategy", "my_scripts:Turns", "--data", "sample-1h", "--param", "bras=2")
    assert wrong.exit_code == 2
    assert "Turns: " in wrong.stderr
    assert _here("--strategy", "my_scripts:None", "--data", "sample-1h").exit_code == 2
    assert "No module named 'nowhere'" in _here("--strategy", "nowhere:X", "--data", "sample-1h").stderr


def test_strategies_are_listed_with_their_parameters():
    listed = _here("strategies")
    ten = {"cci", "roc", "ultosc", "trix", "bband", "cmo", "rsi", "ppo", "mom", "tema"}
    for name in ten:
        assert f"\n{name}: " in f"\n{listed.stdout}"
    schema = json.loads(_here("strategies", "--schema", "rsi").stdout)
    assert "max_holding_bars" in schema["properties"]


def test_a_strategys_parameters_are_listed_with_default_range_and_meaning(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    head, *rows = _here("strategies", "rsi").stdout.splitlines()
    assert head.startswith("rsi: rsi(source, length) against")
    cells = {row.split()[0]: " ".join(row.split()[1:]) for row in rows if row.strip()}
    assert cells["parameter"] == "default range meaning"
    assert cells["length"] == "30 integer from 1 to 5000 bars of the window"
    assert cells["signal_mode"] == '"momentum" "momentum", "mean_reversion" with the move or against it'
    assert cells["upper"] == "67.0 number upper level, in the unit of its value"
    assert cells["stop_loss_percent"].startswith("10.6 number above 0 or null distance of the stop")
    assert "bband: " not in head
    wrong = _here("strategies", "rsy")
    assert (
        wrong.exit_code,
        wrong.stderr.startswith("backtest: there is no strategy 'rsy' (did you mean rsi?); allowed: bband"),
    ) == (2, True)


def test_every_parameter_of_every_strategy_has_a_meaning():
    found = {name: registry.get(name) for name in registry.names()}
    ours = {
        name: one for name, one in found.items() if one.__module__.startswith("engine.strategies.library.")
    }
    silent = [
        f"{name}.{key}"
        for name, one in ours.items()
        for key in one.Params.model_fields
        if not meaning(one.Params, key)
    ]
    assert silent == []
    assert len(ours) >= 12


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--strategy rsy --data sample-1h", "there is no strategy 'rsy' (did you mean rsi?); allowed: bband"),
        ("--strategy rsi --data sample-1h --param lenght=3", "parameter lenght"),
        ("--strategy rsi --data sample-1h --param length=0", "parameter length"),
        ("--strategy rsi --data sample-1h --param length", "expected NAME=VALUE"),
        ("--strategy rsi --data sample-1h --param cci.length=3", "cci is not one of the strategies"),
        ("--strategy rsi --data sample-1h --exit stopp=3", "no such rule (did you mean stop_r?); allowed: a"),
        ("--strategy rsi --data sample-1h --exit stop_kind=soft", "exits.stop_kind"),
        ("--strategy rsi --data sample-1h --exit stop_r=-1", "exits.stop_r: -1.0, expected"),
        ("--strategy rsi --data sample-1h --exit stop_loss_percent=NaN", "exits.stop_loss_percent: nan"),
        (
            "--strategy rsi --data sample-1h --exit max_holding_bars=-1",
            "exits.max_holding_bars: -1, expected",
        ),
        (
            '--strategy rsi --data sample-1h --exit partial_exits=[{"at_r":1,"fraction":1.5}]',
            "exits.partial_exits: expected",
        ),
        (
            "--strategy rsi --data sample-1h --broker fee=3",
            "broker.fee is not a known key; allowed: backtest_fill_limits_assumption_ticks, ",
        ),
        ("--strategy rsi --data sample-1h --broker slippage_tick=3", "(did you mean slippage_ticks?)"),
        ("--strategy rsi --data sample-1h --broker slippage_ticks=-3", "is -3, it should be at least 0"),
        ("--strategy rsi --data sample-1h --broker qty=much", 'broker.qty is "much", it should be a number'),
        ("--strategy rsi --data sample-1h --broker qty=1 cash=1", "give only one of cash"),
        ("--strategy rsi --data sample-1h --param length=x", 'length is "x", it should be an integer'),
        ("--strategy rsi --data sample-9h", "sample-9h: no such file"),
        ("--strategy rsi --data none.parquet", "none.parquet: no such file"),
        ("--strategy rsi --data sample-1h sample-1h", "a second file of SAMPLEUSDT"),
        (
            "--strategy rsi --data sample-1h --start 2030-01-01T00:00:00Z",
            "no bars from 2030-01-01 00:00 UTC on",
        ),
        ("--strategy rsi --data sample-1h --start yesterday", "start"),
        ("--strategy rsi rsi --data sample-1h", "'rsi' appears twice"),
        ("--strategy rsi --data sample-1h --engine fast", "engine"),
        ("--strategy rsi --data sample-1h --funding BTC=x.csv", "funding.BTC: no data for that symbol"),
        ("--strategy rsi", "command line: data is missing, give --data FILE, or a sample such as sample-1h"),
        ("--data sample-1h", "command line: strategies is missing, give --strategy NAME"),
        (
            "--strategy mine.py:Lev --data sample-1h",
            "strategy mine.py:Lev: there is no file mine.py, looked for in ",
        ),
        (
            "--strategy nomod:Lev --data sample-1h",
            "No module named 'nomod'; a file of your own is FILE.py:Class",
        ),
        ("--strategy engine.model.bars:Lev --data sample-1h", "bars.py has no class Lev"),
        ("--config none.json", "none.json: cannot be read"),
        ("sample --out OUT --name none", "no sample market 'none'"),
        ("strategies --schema none", "no strategy 'none'"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(tmp_path: Path, words: str, says: str):
    out = tmp_path / "out"
    argv = words.replace("OUT", str(out)).split()
    if argv[0].startswith("--"):
        argv += ["--out", str(out)]
    done = _here(*argv)
    assert done.exit_code == 2, done.stdout
    assert says in done.stderr
    assert done.stderr.startswith("backtest: ")
    assert done.stderr.count("\n") == 1
    assert not out.exists()


def test_a_failed_write_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fails(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("engine.backtest.report.outputs.write_equity", fails)
    done = _here("--strategy", "rsi", "--data", "sample-1h", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "disk full" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_package_is_imported_without_the_slow_ones():
    code = "import sys, engine.backtest.cli; print(*sorted({'pandas', 'plotly', 'numba'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_no_word_of_the_checker_of_types_reaches_a_person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    source = """
from pydantic import Field
from engine.strategies.base import ScriptStrategy, StrategyParams


class CountParams(StrategyParams):
    bars: int = Field(default=3, gt=0)


class Counts(ScriptStrategy):
    name = "counts"
    Params = CountParams

    def __init__(self, params=None, /, **by_name):
        self.p = CountParams.model_validate(by_name) if params is None else params

    def on_bar(self, bar, broker):
        pass
"""
    (tmp_path / "counting_script.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    words = ("--strategy", "counting_script:Counts", "--data", "sample-1h", "--param")
    assert _here(*words, "bars=0").stderr == (
        "backtest: Counts: parameter bars is 0, it should be greater than 0\n"
    )
    assert "parameter brs is not a known key (did you mean bars?)" in _here(*words, "brs=1").stderr
    path = tmp_path / "run.json"
    said = []
    for raw in (
        {"strategies": []},
        {"strategies": "rsi"},
        {"strategies": [{"strategy": 3}]},
        {"strategies": [{"strategy": "rsi", "name": "a/b"}], "data": ["sample-1h"]},
        {"strategies": ["rsi"], "data": [1], "start": "soon", "broker": [], "engine": "quick"},
        {"strategies": [{"strategy": "rsi"}], "data": ["sample-1h"], "broker": {"close_rule": "LIFO"}},
    ):
        path.write_text(json.dumps(raw))
        done = _here("--config", path)
        assert done.exit_code == 2
        said.append(done.stderr)
    assert not [
        text for text in said if any(raw in text for raw in ("Input", "Field", "Value error", "valid "))
    ]
    assert "'a/b' cannot be the name of a folder" in said[3]
    assert "broker.close_rule is \"LIFO\", it should be 'FIFO' or 'ANY'" in said[5]


def test_one_option_of_the_broker_leaves_the_others_as_they_are(tmp_path: Path):
    hashes = []
    words = ("--strategy", "rsi", "--data", "sample-1h", "--no-page", "--out")
    for name, options in (("a", ()), ("b", ("--broker", "commission_percent=0.05"))):
        assert _here(*words, tmp_path / name, *options).exit_code == 0
        summary = json.loads((tmp_path / name / "summary.json").read_text("utf-8"))
        hashes.append(summary["hashes"])
    assert hashes[0] == hashes[1]


def test_broker_settings_of_file_and_command_line_are_merged(tmp_path: Path):
    path = tmp_path / "run.json"
    strategies = [{"strategy": "rsi"}]
    for given, options, expected in (
        (
            {"cash": 1000},
            {"slippage_ticks": 3},
            {"cash": 1000, "slippage_ticks": 3, "commission_percent": 0.05},
        ),
        ({"cash": 1000}, {"qty": 2}, {"qty": 2, "cash": None, "percent_of_equity": None}),
        (
            {"slippage_ticks": 0},
            {},
            {"slippage_ticks": 0, "percent_of_equity": 10, "commission_percent": 0.05},
        ),
    ):
        path.write_text(json.dumps({"strategies": strategies, "data": ["sample-1h"], "broker": given}))
        found = build_config(path, {"broker": options} if options else {}).broker.model_dump()
        assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize("where", ["file", "file/out", "out/cci"])
def test_a_folder_that_cannot_be_written_is_refused_before_the_run(
    tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("engine.backtest.run.run_choice", None)
    (tmp_path / "file").write_text("")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "cci").write_text("")
    out = tmp_path / ("out" if where == "out/cci" else where)
    done = _here("--strategy", "rsi", "cci", "--data", "sample-1h", "--out", out)
    assert done.exit_code == 2, done.output
    assert "a folder for the results" in done.stderr
    assert done.stderr.count("\n") == 1
    config = ROOT / "engine" / "backtest" / "configs" / "validate_sample.json"
    monkeypatch.setattr("engine.backtest.parity.command.run_case", None)
    done = CliRunner().invoke(validate_app, ["--config", str(config), "--out", str(tmp_path / "file")])
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1), done.output
    assert "file: is a file, expected a folder for the results" in done.stderr


def test_a_run_that_compiles_says_so_before_it_does(capsys: pytest.CaptureFixture[str]):
    compile_notice._say.cache_clear()
    compile_notice.announce_compiling()
    for _ in range(2):
        with numba.core.event.trigger_event("numba:compile"):
            said = capsys.readouterr()
    assert (said.out, said.err) == ("", "")
    compile_notice._say.cache_clear()
    with numba.core.event.trigger_event("numba:compile"):
        said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert said.err.startswith("compiling for the first time")


def test_what_is_said_of_the_data_stands_on_the_console_and_in_every_file(tmp_path: Path):
    hours = [hour for hour in range(48) if hour not in (7, 8)]
    rows = [f"2025-01-{1 + hour // 24:02d} {hour % 24:02d}:00:00,0.41,0.42,0.40,0.41\n" for hour in hours]
    data = tmp_path / "LOW_1h.csv"
    data.write_text("Datetime,open,high,low,close\n" + "".join(rows))
    done = _here("--strategy", "rsi", "--data", data, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    gap = "LOW: 2 bars missing: 2025-01-01 07:00 to 2025-01-01 09:00 (2h) UTC; kept as gaps"
    for text in (
        done.output,
        *(
            (tmp_path / "out" / name).read_text("utf-8")
            for name in ("report.txt", "report.html", "summary.json")
        ),
    ):
        assert gap in text
        assert "times without a zone are read as UTC" in text
        assert "the grid of the prices" in text
    assert (one := _here("--strategy", "rsi", "--data", data, "--gaps", "refuse")).exit_code == 2
    assert one.stderr.count("\n") == 1
    filled = _here("--strategy", "rsi", "--data", data, "--gaps", "fill", "--start", "2025-01-01T03:00")
    assert "LOW: 45 bars of 1h, 2025-01-01 03:00 to 2025-01-02 23:00 UTC" in filled.output
