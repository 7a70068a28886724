"""A script with leverage is liquidated as a signal strategy is, whatever it orders."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from engine.backtest.data.configuration import ConfigError
from engine.backtest.data.plans import SymbolPlan
from engine.backtest.emulator.pine_settings import pine_settings
from engine.backtest.emulator.script_runner import ScriptPlan, run_script, run_scripts
from engine.backtest.emulator.signal_runner import run_signals
from engine.backtest.runs.config import build_config
from engine.model.bars import Bar, Bars
from engine.model.broker_settings import BrokerSettings, Market, Sizing
from engine.model.exit_rules import ExitRules
from engine.model.trades import BacktestResult
from engine.strategies.base import Broker, ScriptStrategy
from tests.support.engine_cases import make_bars, make_finer, make_funding, make_signals

BRACKETS = ((0.0, 0.004, 0.0), (500.0, 0.01, 3.0), (5000.0, 0.1, 453.0))
HOUR_NS = 3_600_000_000_000
Row = tuple[float, float, float, float]


class _AsSaid(ScriptStrategy):
    """Enters while flat where it was told to, and holds."""

    name = "as_said"

    def __init__(self, directions: dict[int, int], qty: float) -> None:
        self._directions = directions
        self._qty = qty

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        direction = self._directions.get(broker.bar_index)
        if not broker.position_size and direction:
            side = "Long" if direction == 1 else "Short"
            broker.order(side, "long" if direction == 1 else "short", self._qty, comment=f"{side} Entry")
        broker.cancel("Liquidation")


@hypothesis_settings(max_examples=60, deadline=None)
@given(
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=2),
    leverage=st.sampled_from([2.0, 5.0, 50.0]),
    brackets=st.sampled_from([(), BRACKETS]),
    is_finer=st.booleans(),
)
def test_a_script_and_a_signal_strategy_that_say_the_same_are_liquidated_alike(
    seeds: list[int], leverage: float, brackets: tuple[tuple[float, float, float], ...], is_finer: bool
) -> None:
    market = Market(tick=0.1, qty_step=0.1, leverage=leverage, brackets=brackets)
    broker = BrokerSettings(initial_capital=3000.0, sizing=Sizing("fixed", 50.0), market=market)
    scripts, signals = [], []
    for number, seed in enumerate(seeds):
        bars = make_bars(f"S{number}", "odd", seed, 60, 100.0)
        random = np.random.default_rng(seed)
        said = [(bar, int(random.choice([1, 2])), 0, 0) for bar in range(len(bars)) if random.random() < 0.2]
        more = (make_finer(bars, seed) if is_finer else None, make_funding(bars, seed))
        scripts.append(ScriptPlan(_AsSaid({row[0]: row[1] for row in said}, 50.0), bars, broker, *more))
        rules = ExitRules(allow_flip=False, signal_exits=False)
        signals.append(SymbolPlan(bars, make_signals(len(bars), said, 1.0), rules, broker, *more))
    assert run_scripts(scripts) == run_signals(signals)


class _Acts(ScriptStrategy):
    """Buys on the first bar with a stop far below."""

    name = "acts"

    def __init__(self, *, stop: float, cancels: bool = False) -> None:
        self._stop = stop
        self._cancels = cancels

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        if broker.bar_index == 0:
            broker.entry("L", "long", 50)
        elif self._cancels:
            broker.cancel_all()
        elif broker.position_size:
            broker.exit("X", "L", stop=self._stop)


def _bars(rows: list[Row], first: int = 0, parts: int = 1) -> Bars:
    step = HOUR_NS // parts
    times = first * HOUR_NS + np.arange(len(rows), dtype=np.int64) * step
    return Bars("X", step, times, *np.array(rows).T, np.zeros(len(times)))


def _run(
    strategy: ScriptStrategy, *rows: Row, finer: dict[int, tuple[Row, ...]] | None = None, **changes: object
) -> BacktestResult:
    """Two bars at 100, then those given; `finer` has the thirds of one bar."""
    bars = _bars([(100.0, 100.0, 100.0, 100.0)] * 2 + list(rows))
    thirds = None
    for bar, inside in (finer or {}).items():
        thirds = _bars(list(inside), bar, 3)
    market = Market(tick=0.01, qty_step=0.01, leverage=10.0)
    settings = replace(BrokerSettings(initial_capital=1000.0, market=market), **changes)
    return run_script(strategy, bars, settings, finer=thirds)


def _exits(result: BacktestResult) -> list[tuple[int, float, str]]:
    return [(trade.exit_bar, trade.exit_price, trade.exit_signal) for trade in result.trades]


@pytest.mark.parametrize("recalculates", [False, True])
@pytest.mark.parametrize("cancels", [False, True])
def test_nothing_that_is_pending_or_cancelled_keeps_a_liquidation_away(
    cancels: bool, recalculates: bool
) -> None:
    strategy = _Acts(stop=50.0, cancels=cancels)
    result = _run(strategy, (100.0, 101.0, 79.0, 90.0), calc_on_order_fills=recalculates)
    assert _exits(result) == [(2, 80.0, "Liquidation")]
    assert result.final_equity == 0.0


class _CancelsInside(ScriptStrategy):
    """Cancels all it can whenever it runs, also after a fill inside a bar."""

    name = "cancels_inside"

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        if broker.bar_index == 0:
            broker.entry("L", "long", 50)
        elif bar.close == 101.0:
            broker.cancel("Liquidation")
            broker.cancel_all()
        elif broker.position_size == 50:
            broker.exit("X", "L", 0.01, limit=100.5)


def test_cancelling_inside_the_bar_does_not_keep_it_away_either() -> None:
    result = _run(_CancelsInside(), (100.0, 101.0, 79.0, 90.0), calc_on_order_fills=True)
    assert _exits(result) == [(2, 100.5, "X"), (2, 80.0, "Liquidation")]


class _EntersAgain(ScriptStrategy):
    """Leaves by a stop and enters below it, where the first position would have been liquidated."""

    name = "enters_again"

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        if broker.bar_index == 0:
            broker.entry("L", "long", 50)
        if broker.bar_index == 1:
            broker.exit("X", "L", stop=90.0)
            broker.order("M", "long", 1, limit=85.0)


def test_a_level_of_liquidation_goes_with_its_position() -> None:
    result = _run(_EntersAgain(), (100.0, 101.0, 79.0, 90.0))
    assert _exits(result) == [(2, 90.0, "X")]
    assert [trade.qty for trade in result.open_trades] == [1.0]


def test_a_stop_before_the_liquidation_leaves_first() -> None:
    assert _exits(_run(_Acts(stop=90.0), (100.0, 101.0, 79.0, 90.0))) == [(2, 90.0, "X")]


def test_an_open_beyond_both_leaves_by_the_stop_and_opens_nothing() -> None:
    result = _run(_Acts(stop=90.0), (70.0, 75.0, 60.0, 70.0), (70.0, 70.0, 70.0, 70.0))
    assert (_exits(result), result.open_trades) == ([(2, 70.0, "X")], ())


def test_a_gap_inside_the_bar_beyond_both_liquidates_and_opens_nothing() -> None:
    row = (100.0, 100.0, 60.0, 70.0)
    finer = ((100.0, 100.0, 100.0, 100.0), (70.0, 75.0, 60.0, 70.0), (70.0, 70.0, 70.0, 70.0))
    result = _run(_Acts(stop=90.0), row, finer={2: finer})
    assert (_exits(result), result.open_trades) == ([(2, 70.0, "Liquidation")], ())


def test_with_no_leverage_nothing_is_liquidated() -> None:
    result = _run(_Acts(stop=50.0), (100.0, 101.0, 79.0, 90.0), market=Market(tick=0.01, qty_step=0.01))
    assert (result.trades, len(result.open_trades)) == ((), 1)


def test_pine_settings_have_no_leverage() -> None:
    assert pine_settings().market.leverage == 0.0


def _configured(brackets: object) -> Market:
    raw = {
        "strategies": [{"strategy": "x"}],
        "data": ["x.csv"],
        "broker": {"leverage": 10, "brackets": brackets},
    }
    return build_config(None, raw).broker.settings().market


def test_brackets_come_from_the_configuration() -> None:
    assert _configured([[0, 0.004, 0], [500, 0.01, 3]]).brackets == ((0.0, 0.004, 0.0), (500.0, 0.01, 3.0))


@pytest.mark.parametrize(
    ("brackets", "expected"),
    [
        (5, "rows of notional floor, maintenance ratio and cum"),
        ([[0, 0.1]], "rows of notional floor, maintenance ratio and cum"),
        ([[0, 0.1, "x"]], "rows of notional floor, maintenance ratio and cum"),
        ([[1, 0.1, 0]], "floors that begin at 0 and rise"),
        ([[0, 0.1, 0], [0, 0.2, 1]], "floors that begin at 0 and rise"),
        ([[0, 4, 0]], "ratios from 0 to below 1"),
        ([[0, 0.1, -5]], "a cum of 0 or more"),
    ],
)
def test_brackets_that_mean_nothing_are_refused(brackets: object, expected: str) -> None:
    with pytest.raises(ConfigError, match=f"broker.brackets: .*{expected}"):
        _configured(brackets)
