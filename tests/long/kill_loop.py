"""Many kills of a demo that always trades, then its books beside the exchange's; writes
reports/kill_loop.json.

    python tests/long/kill_loop.py [--kills 60] [--seed 1] [--protection unprotected|stop] [--out FILE]

Single processes, two and three at once, in any order, at random moments and while orders are in flight,
also again before the recovery has ended. Exit code 1 when anything is doubled, lost or different.
"""

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.process.demo_kills import BUSY_CONFIG, GROUPS, PROTECTIONS, Killer  # noqa: E402  # path first
from tests.process.demo_rig import Demo  # noqa: E402
from tests.process.demo_truth import truth_of  # noqa: E402
from tests.process.turning import python_path, turning  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill a trading demo again and again.")
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--protection", choices=sorted(PROTECTIONS), default="unprotected")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "kill_loop.json")
    parser.add_argument("--keep", type=Path, help="use this empty folder and leave it behind")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nextbar-kills-") as folder:
        report = run(arguments, arguments.keep or Path(folder))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps(report, indent=2) + "\n")
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 1 if report["problems"] else 0


def run(arguments: argparse.Namespace, home: Path) -> dict[str, Any]:
    """One demo; what it withstood, and what is wrong afterwards."""
    config = turning(BUSY_CONFIG.format(seed=arguments.seed, protection=PROTECTIONS[arguments.protection]))
    demo = Demo(home, config=config, environment={"PYTHONPATH": python_path()})
    killer = Killer(demo, random.Random(arguments.seed))
    try:
        demo.until(lambda status: status.fills >= 2, "the first fills")
        while killer.kills < arguments.kills:
            names = killer.random.choice(GROUPS)
            since = killer.strike(names, in_flight=killer.random.random() < 0.6)
            sys.stderr.write(f"{killer.kills} kills: {'+'.join(names)}\n")
            if killer.random.random() < 0.8:
                killer.wait_until_back(names, since)
        killer.wait_until_back(("the last",), since)
        fills = demo.status().fills
        demo.until(lambda status: status.fills > fills, "a fill after all that")
        demo.come_to_rest()
        summary = demo.end()
        truth = truth_of(demo, protected=arguments.protection == "stop")
    finally:
        demo.abandon()
    if summary["rejects"]:
        truth.problems.append(f"the exchange refused {summary['rejects']} orders")
    if "Traceback" in demo.lines:
        truth.problems.append("a traceback in the output")
    seconds = [one for each in killer.recovery_seconds.values() for one in each]
    return {
        "seed": arguments.seed,
        "protection": arguments.protection,
        "kills": killer.kills,
        "while_orders_were_in_flight": killer.in_flight,
        "restarts": summary["restarts"],
        "orders": truth.orders,
        "fills": truth.fills,
        "wallet_balance": str(truth.wallet),
        "slowest_recovery_seconds": max(seconds),
        "median_recovery_seconds": sorted(seconds)[len(seconds) // 2],
        "problems": truth.problems,
    }


if __name__ == "__main__":
    sys.exit(main())
