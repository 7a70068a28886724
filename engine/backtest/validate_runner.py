"""Validates the engines against TradingView's trade lists.

    python -m engine.backtest.validate_runner --config FILE [--reference NAME=FILE ...] [--out DIR]

Exit code 0: every case reached `min_parity`; 1: one did not; 2: the input cannot be used. Also runs inside
`engine/`, as `python -m backtest.validate_runner`.
"""

import sys
from pathlib import Path


def main() -> None:
    """Run the command line; inside `engine/` the packages are found from the folder above."""
    if __package__ == "backtest":
        package = Path(__file__).resolve().parents[1]
        sys.path[:] = [str(package.parent), *(path for path in sys.path if Path(path).resolve() != package)]
    # Only now can the package be found by its own name.
    from runtime.process import short_run  # noqa: PLC0415

    short_run.begin()
    from engine.backtest.parity.command import app  # noqa: PLC0415

    app()


if __name__ == "__main__":
    main()
