"""`backtest` for people: anything `load` takes as bars, and a `Result` that shows itself."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from engine.backtest.data.broker_config import BrokerConfig
from engine.backtest.data.funding import Funding
from engine.backtest.data.gaps import DEFAULT_GAPS, GapRule
from engine.backtest.data.market import MarketData
from engine.backtest.data.price_grid import Grid
from engine.backtest.data.sources import Source
from engine.backtest.run import backtest as run_backtest
from engine.backtest.runs.engines import DEFAULT_ENGINE, EngineName
from engine.backtest.runs.strategies import AnyClass, AnyStrategy
from engine.model.broker_settings import BrokerSettings
from engine.model.exit_rules import ExitRules
from nextbar.result import Result


def backtest(
    strategy: str | AnyClass | AnyStrategy,
    bars: Source | Iterable[Source] | MarketData,
    *,
    params: Mapping[str, object] | None = None,
    exits: ExitRules | Mapping[str, object] | None = None,
    broker: BrokerConfig | BrokerSettings | Mapping[str, object] | None = None,
    engine: EngineName = DEFAULT_ENGINE,
    finer: Source | Mapping[str, Source] | None = None,
    funding: Funding | Mapping[str, Funding] | None = None,
    instruments: str | Path | Mapping[str, Grid] | None = None,
    gaps: GapRule = DEFAULT_GAPS,
    beside: Source | Iterable[Source] | Mapping[str, Source] = (),
    name: str = "",
) -> Result:
    """Backtest a strategy over the bars of one or several symbols that share one account.

    `strategy` is a class, an object, or a text: a name, `FILE.py:Class`, `package.module:Class`. `params` are
    for a class or a text. `bars` are what `load` takes, one or several.

    `exits` replaces exit rules of a signal strategy, all or some by name. `broker` are settings by name on
    top of the defaults, such as `{"commission_percent": 0.04, "slippage_ticks": 2}`, or a `Broker`. `finer`
    are shorter bars of the same market for the price path inside bars, `funding` is by symbol, `instruments`
    are grids by symbol or a saved answer of `exchangeInfo`. `gaps` is the rule for missing bars. `beside` are
    bars, one or several or by symbol, that the strategy only looks at: those of `bar.of("BTCUSDT")`, or the
    exchange's own of a longer timeframe instead of those made of `bars`. `engine` is
    "kernel" (compiled) or "event" (the same trades, slower); a script always runs in the latter. `name` is
    the result's title.

    Raises `ConfigError`, `DataError` or `StrategyFault`: one sentence each.
    """
    ran = run_backtest(
        strategy,
        bars,
        params=params,
        exits=exits,
        broker=broker,
        engine=engine,
        finer=finer,
        funding=funding,
        instruments=instruments,
        gaps=gaps,
        beside=beside,
        name=name,
    )
    return Result(ran)
