"""The backtester beside other backtesters and a script written by hand, on 734,000 five-minute bars.

Run: `python benchmarks/backtest.py [--rounds 5] [--work FOLDER]`. Writes `reports/backtest_benchmark.md`
and `.json`.

Each peer runs in an environment of its own made from `peers/*.txt`. A round runs every program once, each in
a fresh process, warm caches, from Parquet to written trades; the numbers are medians of user and system time.
The bars are real ones from `${SHARED:-../shared}/data`, repeated, or the project's own sample market.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
HERE = ROOT / "benchmarks"
sys.path.insert(0, str(ROOT))

BARS = 734_000
EVENT_BARS = 100_000
FIRST = ["run", "--strategy", "rsi", "--data", "sample-1h"]
SECONDS = 1_451_606_400


@dataclass(slots=True)
class Program:
    """One of the programs compared, and what its processes took."""

    name: str
    command: list[str]
    seconds: list[float] = field(default_factory=list)
    memory_mb: float = 0.0
    told: dict[str, object] = field(default_factory=dict)


def make_bars(path: Path) -> str:
    """Write the bars; returns where they are from."""
    import pyarrow as pa  # noqa: PLC0415  # the environment of this project has it
    import pyarrow.parquet as pq  # noqa: PLC0415

    shared = Path(os.environ.get("SHARED") or ROOT.parent / "shared")
    source = shared / "data" / "BTCUSDT_SPOT_1m_20220101_20240625.parquet"
    if source.is_file():
        table = pq.read_table(source)
        minute = {name: table.column(name).to_numpy() for name in ("open", "high", "low", "close", "volume")}
        whole = len(minute["open"]) // 5
        rows = {name: values[: whole * 5].reshape(whole, 5) for name, values in minute.items()}
        five = (
            rows["open"][:, 0],
            rows["high"].max(1),
            rows["low"].min(1),
            rows["close"][:, -1],
            rows["volume"].sum(1),
        )
        origin = f"{source.name}, {whole} five-minute bars repeated"
    else:
        from engine.backtest.data.samples import Dataset, generate  # noqa: PLC0415  # not needed otherwise

        made = generate(Dataset("stress", "STRESS", 300_000_000_000, BARS, 9, 400_000, 420))
        five = (made.open, made.high, made.low, made.close, made.volume_base)
        origin = "the project's sample market"
    columns = [np.tile(values, BARS // len(values) + 1)[:BARS] for values in five]
    times = pa.array((SECONDS + np.arange(BARS) * 300) * 1000, pa.timestamp("ms", "UTC"))
    names = ("open", "high", "low", "close", "volume")
    pq.write_table(pa.table({"open_time": times, **dict(zip(names, columns, strict=True))}), path)
    return origin


def environment(peer: str, work: Path) -> str:
    """Python of the peer's own environment, made when it is not there."""
    wanted = HERE / "peers" / f"{peer}.txt"
    folder = work / f"{peer}-{hashlib.sha256(wanted.read_bytes()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if not (folder / "complete").exists():
        print(f"making an environment for {peer}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", "-r", str(wanted)], check=True)
        (folder / "complete").touch()
    return str(python)


def timed(command: list[str], **environ: str) -> tuple[float, float, dict[str, object]]:
    """User plus system seconds, megabytes at the most, and what the program's last line told."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            command, cwd=ROOT, stdout=out, stderr=subprocess.DEVNULL, env={**os.environ, **environ}
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        lines = out.read().decode().splitlines()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    scale = 1 if sys.platform == "darwin" else 1024
    told = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return used.ru_utime + used.ru_stime, used.ru_maxrss * scale / 1e6, told


def run_rounds(programs: list[Program], rounds: int) -> None:
    """Run all once to warm their caches, then in turn."""
    for warming in (True, *[False] * rounds):
        for program in programs:
            seconds, memory, program.told = timed(program.command)
            if not warming:
                program.seconds.append(seconds)
                program.memory_mb = max(program.memory_mb, memory)


def first_run(command: list[str], work: Path) -> tuple[float, float]:
    """Seconds of a run with an empty cache of compiled code: on the clock, and of processor time."""
    with tempfile.TemporaryDirectory(dir=work) as cache:
        began = time.perf_counter()
        used = timed(command, NUMBA_CACHE_DIR=cache)[0]
        return time.perf_counter() - began, used


def bars_a_second(bars: Path, peer_python: str) -> dict[str, float]:
    """The event-driven engine and backtesting.py on the same strategy in turn, medians of three."""
    scripts = {
        "this project": [sys.executable, str(HERE / "backtest_event.py")],
        "backtesting.py": [peer_python, str(HERE / "peers/backtesting_cross.py")],
    }
    found: dict[str, list[float]] = {name: [] for name in scripts}
    for _ in range(3):
        for name, command in scripts.items():
            told = timed([*command, str(bars), str(EVENT_BARS)])[2]
            found[name].append(float(str(told["bars_a_second"])))
    return {name: statistics.median(values) for name, values in found.items()}


def notebook(bars: Path, peers: dict[str, str]) -> dict[str, object]:
    """The second backtest in one process with its statistics, in three processes each."""
    scripts = {
        "this project": [sys.executable, str(HERE / "backtest_notebook.py")],
        **{name: [python, str(HERE / f"peers/{name}_notebook.py")] for name, python in peers.items()},
    }
    found: dict[str, list[dict[str, object]]] = {name: [] for name in scripts}
    for _ in range(3):
        for name, command in scripts.items():
            found[name].append(timed([*command, str(bars), str(EVENT_BARS)])[2])
    return {name: min(runs, key=_clock) for name, runs in found.items()}


def _clock(told: dict[str, object]) -> float:
    milliseconds = told["milliseconds"]
    assert isinstance(milliseconds, dict)
    return float(milliseconds["clock"])


def import_seconds() -> float:
    """Median processor seconds of a process that imports both engines and ends."""
    program = "import engine.backtest.kernel.runner, engine.backtest.emulator.signal_runner"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {program}"]
    return statistics.median(timed(command)[0] for _ in range(5))


def measure(rounds: int, work: Path) -> dict[str, object]:
    """Everything the report says."""
    bars = work / "bars.parquet"
    origin = make_bars(bars)
    peers = {peer: environment(peer, work) for peer in ("backtesting", "vectorbt")}

    def program(name: str, python: str, script: str) -> Program:
        return Program(name, [python, str(HERE / script), str(bars), str(work / name)])

    programs = [
        program("this project", sys.executable, "backtest_stress.py"),
        program("by hand", sys.executable, "backtest_by_hand.py"),
        program("backtesting.py", peers["backtesting"], "peers/backtesting_stress.py"),
        program("vectorbt", peers["vectorbt"], "peers/vectorbt_stress.py"),
    ]
    run_rounds(programs, rounds)
    medians = {one.name: statistics.median(one.seconds) for one in programs}
    alone = {
        one.name: [float(str(timed([*one.command, "--alone"])[2]["simulation_ns_a_bar"])) for _ in range(3)]
        for one in programs[:2]
    }
    event = bars_a_second(bars, peers["backtesting"])
    first_runs = {
        "stress run": first_run(programs[0].command, work),
        "command line": first_run([sys.executable, "-m", "engine.backtest", *FIRST], work),
    }
    own = medians["this project"]
    return {
        "bars": BARS,
        "bars_from": origin,
        "rounds": rounds,
        "seconds": {one.name: one.seconds for one in programs},
        "median_seconds": medians,
        "share_of_peer": {name: own / seconds for name, seconds in medians.items() if name != "this project"},
        "told": {one.name: one.told for one in programs},
        "memory_mb": {one.name: one.memory_mb for one in programs},
        "simulation_ns_a_bar": {name: min(values) for name, values in alone.items()},
        "simulation_ratio": min(alone["this project"]) / min(alone["by hand"]),
        "first_run_clock_and_processor_seconds": first_runs,
        "import_seconds": import_seconds(),
        "notebook": notebook(bars, peers),
        "event_bars_a_second": event,
        "event_ratio": event["this project"] / event["backtesting.py"],
        "load_average": os.getloadavg()[0],
    }


def page(found: dict[str, object]) -> str:
    """The report as Markdown."""
    medians, told = found["median_seconds"], found["told"]
    memory, share = found["memory_mb"], found["share_of_peer"]
    assert isinstance(medians, dict)
    assert isinstance(told, dict)
    assert isinstance(memory, dict)
    assert isinstance(share, dict)
    intro = (
        f"{found['bars']} five-minute bars ({found['bars_from']}) with 30-minute informative bars."
        f" User plus system seconds, median of {found['rounds']} interleaved fresh processes, warm caches,"
        " from Parquet to written trades."
        f" Load average of the machine at the end: {found['load_average']:.1f}."
    )
    head = "| program | seconds | ours / theirs | trades | MB | what it does |"
    lines = ["# Backtest benchmark", "", intro, "", head, "|---|---|---|---|---|---|"]
    does = {
        "this project": "all of it",
        "by hand": "all of it, for these rules alone",
        "backtesting.py": "partial exit at the next open instead of at its level",
        "vectorbt": "no partial exit, no break-even",
    }
    for name, seconds in medians.items():
        ratio = f"{share[name]:.2f}" if name in share else ""
        trades = told[name]["trades"]
        lines.append(f"| {name} | {seconds:.2f} | {ratio} | {trades} | {memory[name]:.0f} | {does[name]} |")
    lines += ["", "| stage (clock, last round) | seconds |", "|---|---|"]
    lines += [f"| {name} | {seconds:.3f} |" for name, seconds in told["this project"]["stages"].items()]
    alone, event = found["simulation_ns_a_bar"], found["event_bars_a_second"]
    first_runs = found["first_run_clock_and_processor_seconds"]
    assert isinstance(alone, dict)
    assert isinstance(event, dict)
    assert isinstance(first_runs, dict)
    simulation = (
        f"Simulation alone: {alone['this project']:.1f} ns a bar, by hand {alone['by hand']:.1f}:"
        f" {found['simulation_ratio']:.1f} times. Signals: {told['this project']['signals']}."
    )
    firsts = "; ".join(
        f"{name} {clock:.1f} s on the clock, {used:.1f} s of processor time"
        for name, (clock, used) in first_runs.items()
    )
    start = f"First run ever: {firsts}. Importing both engines: {found['import_seconds']:.2f} s."
    scripts = (
        f"Event-driven engine on a Python strategy: {event['this project']:,.0f} bars a second,"
        f" backtesting.py {event['backtesting.py']:,.0f}: {found['event_ratio']:.1f} times."
    )
    second = (
        f"The second backtest of {EVENT_BARS:,} hourly bars in one process, with statistics: {_again(found)}."
    )
    lines += ["", simulation, "", start, "", scripts, "", second, ""]
    return "\n".join(lines)


def _again(found: dict[str, object]) -> str:
    notebook = found["notebook"]
    assert isinstance(notebook, dict)
    each = {name: told["milliseconds"] for name, told in notebook.items()}
    return ", ".join(
        f"{name} {took['clock']:.0f} ms ({took['processor']:.0f} of processor time)"
        for name, took in each.items()
    )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "backtest-benchmark")
    parser.add_argument("--out", type=Path, default=ROOT / "reports")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    found = measure(options.rounds, options.work)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "backtest_benchmark.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = page(found)
    (options.out / "backtest_benchmark.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
