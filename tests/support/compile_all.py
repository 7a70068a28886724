"""`python -m tests.support.compile_all`: compile once what otherwise each process of the tests compiles."""

import numpy as np

from engine.backtest.kernel.runner import run_kernel
from engine.backtest.parity.cases import prepare, run_case
from engine.backtest.parity.config import read_config
from engine.indicators.catalog import INDICATORS
from tests.property.engine.indicators.test_indicators_stream_as_batch import CASES
from tests.support.places import ROOT

BARS = 3


def main() -> None:
    """Each indicator over a few bars, and each strategy of the sample lists in the kernel."""
    for name, args in CASES:
        indicator = INDICATORS[name](*args)
        indicator.run(*np.ones((len(indicator.inputs), BARS)))
        indicator.update(*np.ones(len(indicator.inputs)))
    sample = ROOT / "engine" / "backtest" / "configs" / "validate_sample.json"
    for prepared in prepare(read_config(sample), {}):
        run_case(prepared, "kernel", run_kernel)


if __name__ == "__main__":
    main()
