"""The result of a backtest."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

from engine.backtest.report import summary as summaries
from engine.backtest.report.outcome import Outcome


@dataclass(frozen=True)
class Result(Outcome):
    """The outcome of a backtest, with its metrics and its summary worked out when they are first read."""

    @cached_property
    def metrics(self) -> dict[str, float | int | None]:
        """Return, risk and trade numbers by name, None where one is undefined; formulas: `report.metrics`."""
        return summaries.metrics_of(self)

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What `summary.json` says: settings, data, metrics, groups of trades, warnings, versions, hashes."""
        return summaries.summary_of(self, self.metrics)

    def for_a_report(self) -> Self:
        """The same with its summary worked out and without bars and funding that only that needs."""
        slim = replace(self, market=replace(self.market, finer={}, funding={}, beside=()))
        slim.__dict__["summary"] = self.summary
        return slim
