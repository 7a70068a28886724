"""Many random graphs of series, over random histories; writes reports/random_graphs.json.

    python tests/long/random_graphs.py [--graphs 2000] [--out FILE]

That many graphs for each statement of tests/property/engine/series/test_random_graphs.py. Exit code 1, with
the smallest graph that was found, when one does not hold.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def main() -> int:
    parser = argparse.ArgumentParser(description="Hold many random graphs to what is said of all.")
    parser.add_argument("--graphs", type=int, default=2000, help="for each statement")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "random_graphs.json")
    arguments = parser.parse_args()
    os.environ["RANDOM_GRAPHS"] = str(arguments.graphs)
    from tests.property.engine.series import test_random_graphs as tests  # noqa: PLC0415  # it reads the number

    values, evaluate = 0, tests.in_batch

    def counting(*given: object) -> object:
        nonlocal values
        made = evaluate(*given)
        values += sum(len(column) for column in made)
        return made

    tests.in_batch = counting
    held, began = [], time.monotonic()
    for name in sorted(name for name in vars(tests) if name.startswith("test_")):
        getattr(tests, name)()
        held.append(name.removeprefix("test_"))
    report = {
        "graphs_for_each_statement": arguments.graphs,
        "values": values,
        "seconds": round(time.monotonic() - began),
        "held": held,
    }
    arguments.out.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
