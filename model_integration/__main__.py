"""`python -m model_integration [NAME ...]`: prove strategies and their twins equal on the sample markets."""

import sys

from engine.backtest.data.samples import DATASETS, dataset
from engine.strategies.base import SignalStrategy, registry
from model_integration.twins import TWINS
from model_integration.validation import ValidationTestingSuite
from runtime.suggestions import allowed


def main(names: list[str]) -> int:
    """Print each finding; 1 when there is a difference, 2 for an unknown name."""
    unknown = [name for name in names if name not in TWINS]
    if unknown:
        sys.stderr.write(f"model_integration: no twin of {unknown[0]!r}{allowed(unknown[0], TWINS)}\n")
        return 2
    markets = [(name, dataset(name)) for name in DATASETS if name.endswith("-1h")]
    passed = True
    for name in names or TWINS:
        cls = registry.get(name)
        assert issubclass(cls, SignalStrategy)
        for one in ValidationTestingSuite(cls.from_params({})).run(markets, live_bars=100):
            sys.stdout.write(f"{name}: {one.sentence}\n")
            passed = passed and one.passed
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
