"""A seeded sequence of faults in a trading demo; what must hold is checked after each. Writes
reports/fault_loop.json.

    python tests/long/fault_loop.py [--faults 20] [--seconds 220] [--seed 1] [--script] [--only KIND ...]

`--script` trades by limit orders too. `--add` keeps what the report already holds. Exit code 1 when anything
was doubled, lost, different, stuck or told that must not be.
"""

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.long.fault_kinds import KINDS, WEIGHTS  # noqa: E402  # path first
from tests.long.fault_scene import NotWell, Scene  # noqa: E402
from tests.process.demo_truth import truth_of  # noqa: E402


@dataclass
class Run:
    """What one demo went through."""

    seed: int
    strategy: str
    faults: list[dict[str, Any]] = field(default_factory=list)
    restarts: int = 0
    orders: int = 0
    fills: int = 0
    wallet_balance: str = ""
    problems: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description="Break a trading demo again and again.")
    parser.add_argument("--faults", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=200.0, help="no new fault after that")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--script", action="store_true")
    parser.add_argument("--only", nargs="*", choices=sorted(KINDS), default=[])
    parser.add_argument("--add", action="store_true")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "fault_loop.json")
    parser.add_argument("--keep", type=Path, help="use this empty folder and leave it behind")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nextbar-faults-") as folder:
        home = arguments.keep or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        run = go_through(arguments, home)
    runs = json.loads(arguments.out.read_text())["runs"] if arguments.add and arguments.out.exists() else []
    report = summed([*runs, asdict(run)])
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    sys.stdout.write(
        json.dumps({key: value for key, value in report.items() if key != "runs"}, indent=2) + "\n"
    )
    for problem in run.problems:
        sys.stdout.write(problem + "\n")
    return 1 if run.problems else 0


def go_through(arguments: argparse.Namespace, home: Path) -> Run:
    """One demo, fault by fault, then its books beside the exchange's."""
    run = Run(arguments.seed, "script" if arguments.script else "crossover")
    scene = Scene(home, arguments.seed, script=arguments.script)
    names = arguments.only or list(KINDS)
    weights = [WEIGHTS.get(name, 1) for name in names]
    began = time.monotonic()
    try:
        scene.demo.until(lambda status: status.fills >= 2, "the first fills")
        while len(run.faults) < arguments.faults and time.monotonic() - began < arguments.seconds:
            (name,) = scene.random.choices(names, weights)
            one_fault(scene, name, run)
        finish(scene, run)
    except NotWell as error:
        run.problems.append(str(error))
    finally:
        scene.close()
    if "Traceback" in scene.demo.lines and not any("Traceback" in one for one in run.problems):
        run.problems.append("a traceback in the output")
    told = scene.secrets_told()
    if told:
        run.problems.append(f"secrets in {', '.join(told)}")
    return run


def one_fault(scene: Scene, name: str, run: Run) -> None:
    """Break it, wait until all is well, compare."""
    sys.stderr.write(f"{len(run.faults) + 1} {name}: ")
    sys.stderr.flush()
    what = KINDS[name](scene)
    sys.stderr.write(what)
    sys.stderr.flush()
    entry: dict[str, Any] = {"kind": name, "what": what}
    run.faults.append(entry)
    try:
        entry["well_after_seconds"] = scene.until_well()
        entry["same_after_seconds"] = scene.until_same()
    except NotWell as error:
        raise NotWell(f"fault {len(run.faults)}, {name} ({what}): {error}") from error
    sys.stderr.write(f" - well after {entry['well_after_seconds']} + {entry['same_after_seconds']} s\n")
    for traceback in scene.new_tracebacks():
        run.problems.append(f"fault {len(run.faults)}, {name} ({what}): {traceback}")


def finish(scene: Scene, run: Run) -> None:
    """No more faults: leave the position, stop, compare all that was ever done."""
    if scene.script:
        answer = scene.demo.ask("flatten")
        if not answer.ok:
            run.problems.append(f"flatten: {answer.text}")
        scene.demo.until(lambda status: not status.positions and not status.open_orders, "all left", 60)
        scene.until_same()
    else:
        scene.demo.come_to_rest()
        scene.until_same()  # a stop that is on its way arrives
    summary = scene.demo.end()
    truth = truth_of(
        scene.demo,
        protected=not scene.script,
        by_hand=scene.by_hand,
        largest=Decimal(4 if scene.script else "1.3"),
    )
    run.problems += truth.problems
    run.restarts, run.orders, run.fills = summary["restarts"], truth.orders, truth.fills
    run.wallet_balance = str(truth.wallet)


def summed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """All runs in some numbers, then each."""
    faults = [one for run in runs for one in run["faults"]]
    seconds = sorted(one["well_after_seconds"] for one in faults if "well_after_seconds" in one)
    return {
        "faults": len(faults),
        "by_kind": dict(sorted(Counter(one["kind"] for one in faults).items())),
        "restarts": sum(run["restarts"] for run in runs),
        "orders": sum(run["orders"] for run in runs),
        "fills": sum(run["fills"] for run in runs),
        "median_seconds_until_well": seconds[len(seconds) // 2] if seconds else None,
        "slowest_seconds_until_well": seconds[-1] if seconds else None,
        "problems": sum(len(run["problems"]) for run in runs),
        "runs": runs,
    }


if __name__ == "__main__":
    sys.exit(main())
