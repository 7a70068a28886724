"""Runs both engines over many random backtests and writes what was compared to reports/engine_equality.json.

    python benchmarks/engine_equality.py --cases 5000 --seed 1

Exit code 1 and the shrunk backtest in full if the two ever differ. The property test does the same on fewer.
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import fields
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from engine.backtest.data.plans import SymbolPlan  # noqa: E402
from engine.backtest.emulator.signal_runner import run_signals  # noqa: E402
from engine.backtest.kernel.runner import run_kernel  # noqa: E402  # found through the path set above
from tests.support.engine_cases import plans  # noqa: E402


def _note(counts: Counter[str], given_plans: list[SymbolPlan]) -> None:
    kernel, event = run_kernel(given_plans), run_signals(given_plans)
    for name in (field.name for field in fields(event)):
        assert getattr(kernel, name) == getattr(event, name), name
    counts["cases"] += 1
    counts["cases with several symbols"] += len(given_plans) > 1
    counts["bars"] += sum(len(plan.bars) for plan in given_plans)
    counts["open trades"] += len(event.open_trades)
    counts["margin rejects"] += event.margin_rejects
    for trade in event.trades:
        counts["trades"] += 1
        counts[f"trades closed by {trade.exit_signal}"] += 1
    for plan in given_plans:
        counts[f"entries as {plan.settings.entry.kind}, {plan.settings.timing}"] += 1


def main() -> int:
    """Run the cases; 0 if the engines agreed on all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / "engine_equality.json")
    options = parser.parse_args()
    counts: Counter[str] = Counter()

    @hypothesis.seed(options.seed)
    @settings(
        max_examples=options.cases,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(plans())
    def agree(given_plans: list[SymbolPlan]) -> None:
        _note(counts, given_plans)

    try:
        agree()
        differing = ""
    except AssertionError as e:
        differing = "\n".join([str(e), *getattr(e, "__notes__", [])])
    result = {
        "seed": options.seed,
        "equal": not differing,
        "difference": differing,
        **dict(sorted(counts.items())),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return int(bool(differing))


if __name__ == "__main__":
    sys.exit(main())
