"""The Pine preset trades random orders as an independent runtime does.

Left out, and why: several closes of one id on a bar (there they are told apart by the statement that
issues them, which a Python verb cannot know); one id for both directions, and partial closes of an id
that has exits (its account of shares drifts from what it says TradingView does); exits issued anew with
other shares while their entry is pending (2 of 80 cases differ); resting entries that the account can no
longer margin, judged there with the equity of the bar before (1 of 20 cases at margin 100, 2 at 20);
margin calls beside exit legs or with close_entries_rule ANY, and 4 of 40 cases at margin 20 in which a
size differs by one step; rules of risk with orders on close, whose forced exits have prices of earlier in
that bar there, and the size limit, which there counts what a reversal closes; recalculation on fills with
trailing stops (walked as a whole there); gaps between finer bars, where nothing fills there, and a
reversal that meets an exit leg at one price inside a finer bar (1 of 20 cases), or a trailing stop at the
open (1 of 20 cases below zero, with levels of 1 too); the default size of an order at a level of 0 or below,
which buys nothing and leaves an earlier order of its id there; excursions (unreliable
there when an entry fills inside a bar).
Which of several legs comes first at one moment is not compared, nor which side of a round trip at one moment
and price is called the entry.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.backtest.emulator.broker import BacktestBroker
from engine.backtest.emulator.script_runner import run_script
from engine.model.bars import Bar, Bars
from engine.model.broker_settings import BrokerSettings, Costs, Market, Sizing
from engine.model.trades import BacktestResult
from engine.strategies.base import Broker, ScriptStrategy

HERE = Path(__file__).resolve().parent
CASES_EACH = 20
DIFFERENT = {
    ("margins", 11),
    ("leveraged", 2),
    ("leveraged", 7),
    ("leveraged", 12),
    ("stacked", 10),
    ("stacked", 12),
    ("stacked", 16),
    ("magnified", 16),
    ("below zero", 3),
}
N = 160
HOUR_NS = 3_600_000_000_000
START_NS = 1_700_000_400 // 3600 * HOUR_NS
"""Where the other runtime's bars begin: days count."""
Orders = dict[int, list[tuple[str, dict[str, object]]]]
Case = dict[str, object]


def _market() -> np.ndarray:
    random = np.random.default_rng(5)
    close = np.round(100 + np.cumsum(0.4 * random.normal(size=N)), 2)
    open_ = np.round(np.concatenate([close[:1], close[:-1]]) + 0.15 * random.normal(size=N), 2)
    high = np.round(np.maximum(open_, close) + random.exponential(0.3, N), 2)
    low = np.round(np.minimum(open_, close) - random.exponential(0.3, N), 2)
    return np.column_stack([open_, high, low, close, np.ones(N)])


def _finer_market() -> np.ndarray:
    """Quarters of an hour without gaps: at a gap between finer bars the other runtime fills nothing."""
    random = np.random.default_rng(3)
    close = np.round(100 + np.cumsum(0.25 * random.normal(size=4 * N)), 2)
    open_ = np.concatenate([close[:1], close[:-1]])
    high = np.round(np.maximum(open_, close) + random.exponential(0.15, 4 * N), 2)
    low = np.round(np.minimum(open_, close) - random.exponential(0.15, 4 * N), 2)
    return np.column_stack([open_, high, low, close, np.ones(4 * N)])


def _hours(finer: np.ndarray) -> np.ndarray:
    open_, high, low, close, volume = finer.reshape(N, 4, 5).transpose(2, 0, 1)
    return np.column_stack([open_[:, 0], high.max(1), low.min(1), close[:, -1], volume.sum(1)])


class Dice:
    """Random choices for one case."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)

    def pick(self, *options: object) -> object:
        return options[int(self._random.integers(len(options)))]

    def hits(self, chance: float) -> bool:
        return bool(self._random.random() < chance)

    def ticks(self, low: int, high: int) -> int:
        return int(self._random.integers(low, high + 1))


def _entry(dice: Dice, kinds: tuple[str, ...], ids: tuple[str, ...]) -> tuple[str, dict[str, object]]:
    name = str(dice.pick(*ids))
    direction = "long" if name.startswith("L") else "short"
    sign = 1 if direction == "long" else -1
    given: dict[str, object] = {"id": name, "direction": direction}
    kind = dice.pick(*kinds)
    if kind in ("stop", "stop_limit"):
        given["stop"] = sign * dice.ticks(-20, 90)
    if kind == "limit":
        given["limit"] = -sign * dice.ticks(-20, 90)
    if kind == "stop_limit":
        given["limit"] = sign * dice.ticks(-60, 60)
    return "entry", given


def _entries(dice: Dice) -> Orders:
    """Entries of every kind, two ids, now and then a close or a cancel."""
    orders: Orders = {}
    for bar in range(3, N - 3):
        rows = orders.setdefault(bar, [])
        if dice.hits(0.3):
            rows.append(_entry(dice, ("market", "limit", "stop", "stop_limit"), ("L1", "L2", "S1", "S2")))
        if dice.hits(0.1):
            rows.append(("close", {"id": dice.pick("L1", "S1", "S2")}))
        if dice.hits(0.05):
            rows.append(("close_all", {}))
        if dice.hits(0.08):
            rows.append(("cancel", {"id": dice.pick("L1", "L2", "S1")}))
    return orders


def _brackets(dice: Dice) -> Orders:
    """One entry at a time with exits of several legs and shares, issued again now and then."""
    orders: Orders = {}
    for bar in range(3, N - 3):
        rows = orders.setdefault(bar, [])
        if dice.hits(0.2):
            rows.append(_entry(dice, ("market", "limit", "stop"), ("L", "S")))
        if dice.hits(0.35):
            side = str(dice.pick("L", "S"))
            rows += [("exit", _exit(dice, name, side)) for name in ("X", "Y")[: dice.ticks(1, 2)]]
        if dice.hits(0.05):
            rows.append(("close", {"id": dice.pick("L", "S"), "qty_percent": dice.pick(30, 100)}))
    return orders


def _exit(dice: Dice, name: str, side: str) -> dict[str, object]:
    given: dict[str, object] = {"id": name + side, "from_entry": side}
    if dice.hits(0.7):
        given["profit"] = dice.ticks(20, 150)
    if dice.hits(0.7) or len(given) == 2:
        given["loss"] = dice.ticks(20, 150)
    if dice.hits(0.5):
        given["qty_percent"] = dice.pick(30, 50, 75)
    return given


def _trailing(dice: Dice) -> Orders:
    """Entries with a trailing stop issued with the entry, or later in the position."""
    orders: Orders = {}
    for bar in range(3, N - 3):
        rows = orders.setdefault(bar, [])
        with_entry = dice.hits(0.15)
        side = str(dice.pick("L", "S"))
        if with_entry:
            rows.append(_entry(dice, ("market", "stop"), (side,)))
        if with_entry or dice.hits(0.1):
            trail = {"trail_points": dice.ticks(1, 80), "trail_offset": dice.pick(0, 15, 40, 90)}
            stop = {"loss": dice.ticks(60, 150)} if dice.hits(0.5) else {}
            rows.append(("exit", {"id": f"X{side}", "from_entry": side, **trail, **stop}))
    return orders


def _pyramids(dice: Dice) -> Orders:
    """Several entries in a direction, partial closes, exits of one id or of all."""
    orders: Orders = {}
    for bar in range(3, N - 3):
        rows = orders.setdefault(bar, [])
        if dice.hits(0.25):
            rows.append(_entry(dice, ("market", "market", "stop"), ("L1", "L2", "L3", "S1", "S2")))
        if dice.hits(0.12):
            rows.append(("close", {"id": dice.pick("L3", "S2"), "qty_percent": dice.pick(25, 60, 100)}))
        if dice.hits(0.15):
            given = {"id": "X", "from_entry": dice.pick("L1", "L2", "S1"), "loss": dice.ticks(30, 120)}
            rows.append(("exit", given | ({"profit": dice.ticks(30, 120)} if dice.hits(0.6) else {})))
        if dice.hits(0.03):
            rows.append(("close_all", {}))
    return orders


def _groups(dice: Dice) -> Orders:
    """Plain orders in OCA groups that cancel or reduce each other."""
    orders: Orders = {}
    for bar in range(3, N - 3):
        rows = orders.setdefault(bar, [])
        if dice.hits(0.12):
            kind = dice.pick("cancel", "reduce")
            for name, direction in (("A", "long"), ("B", "short")):
                sign = 1 if direction == "long" else -1
                group = {"oca_name": "G", "oca_type": kind, "qty": dice.pick(1, 2, 3)}
                given = {"id": name, "direction": direction, "stop": sign * dice.ticks(5, 80), **group}
                rows.append((dice.pick("entry", "order"), given))
        if dice.hits(0.06):
            rows.append(("close_all", {}))
    return orders


def _straddles(dice: Dice) -> Orders:
    """Opposite stops, also past the market, in a group, some with exits; now and then one is cancelled."""
    orders: Orders = {}
    for bar in range(3, N - 3):
        rows = orders.setdefault(bar, [])
        if dice.hits(0.3):
            kind, away = dice.pick("cancel", "none"), dice.ticks(-30, 60)
            for name, direction, sign in (("L", "long", 1), ("S", "short", -1)):
                group = {"oca_name": "G", "oca_type": kind}
                rows.append(("entry", {"id": name, "direction": direction, "stop": sign * away, **group}))
                if dice.hits(0.4):
                    levels = {"profit": dice.ticks(5, 90), "loss": dice.ticks(5, 90)}
                    rows.append(("exit", {"id": "X" + name, "from_entry": name, **levels}))
        if dice.hits(0.15):
            rows.append(("cancel", {"id": dice.pick("L", "S", "XL", "XS")}))
        if dice.hits(0.05):
            rows.append(("close_all", {}))
    return orders


def _pairs(dice: Dice) -> Orders:
    """Two entries of opposite sides on a bar, the second mostly priced; now and then a close or a cancel."""
    orders: Orders = {}
    for bar in range(3, N - 3):
        rows = orders.setdefault(bar, [])
        if dice.hits(0.25):
            first, second = dice.pick(("L", "S"), ("S", "L"))
            rows.append(_entry(dice, ("market", "market", "stop"), (first,)))
            rows.append(_entry(dice, ("limit", "stop", "market"), (second,)))
        elif dice.hits(0.1):
            rows.append(("close_all", {}))
        if dice.hits(0.1):
            rows.append(("cancel", {"id": dice.pick("L", "S")}))
    return orders


def _below_zero(dice: Dice) -> Orders:
    """Entries, plain orders and exits whose levels may be 0 or below: met at once, or never."""
    orders: Orders = {}
    for bar in range(3, N - 3):
        rows = orders.setdefault(bar, [])
        if dice.hits(0.3):
            verb, given = _entry(dice, ("market", "limit", "stop", "stop_limit"), ("L", "S"))
            rows.append((verb, given | {name: _fallen(dice) for name in _levels_of(given) if dice.hits(0.6)}))
        if dice.hits(0.3):
            names = dice.pick(("limit",), ("stop",), ("limit", "stop"), ("trail_price",))
            side = str(dice.pick("L", "S"))
            sign = 1 if side == "L" else -1
            near = {"limit": sign * dice.ticks(5, 90), "stop": -sign * dice.ticks(5, 90)}
            levels = {
                name: near[name] if name in near and dice.hits(0.3) else _fallen(dice) for name in names
            }
            levels |= {"trail_offset": dice.pick(15, 40)} if "trail_price" in levels else {}
            rows.append(("exit", {"id": f"X{side}", "from_entry": side, **levels}))
        if dice.hits(0.05):
            rows.append(("close_all", {}))
        if dice.hits(0.08):
            rows.append(("cancel", {"id": dice.pick("L", "S", "XL")}))
    return orders


def _levels_of(given: dict[str, object]) -> list[str]:
    return [name for name in ("limit", "stop") if name in given]


def _fallen(dice: Dice) -> object:
    """Exactly 0, or ticks from the close that end below it: every price here is under 200."""
    return dice.pick("zero", -dice.ticks(20_000, 30_000))


FAMILIES: dict[str, Callable[[Dice], Orders]] = {
    "entries": _entries,
    "brackets": _brackets,
    "trailing": _trailing,
    "pyramids": _pyramids,
    "groups": _groups,
    "pairs": _pairs,
    "paired margins": _pairs,
    "margins": _entries,
    "leveraged": _entries,
    "stacked": _entries,
    "risks": _entries,
    "recalculated": _brackets,
    "straddles": _straddles,
    "magnified": _straddles,
    "below zero": _below_zero,
}
RISKS: tuple[tuple[str, list[object]], ...] = (
    ("max_drawdown", [2, "percent_of_equity"]),
    ("max_drawdown", [4000, "cash"]),
    ("max_intraday_loss", [1, "percent_of_equity"]),
    ("max_intraday_loss", [2000, "cash"]),
    ("max_intraday_filled_orders", [1]),
    ("max_intraday_filled_orders", [3]),
    ("max_cons_loss_days", [1]),
    ("max_cons_loss_days", [2]),
    ("allow_entry_in", ["long"]),
    ("allow_entry_in", ["short"]),
)
UNSLIPPED = ("straddles", "magnified", "risks", "below zero")
AT_OPEN = ("magnified", "risks", "below zero")
SYMBOLS: tuple[dict[str, float], ...] = ({}, {"pointvalue": 50.0, "mincontract": 1.0}, {"pointvalue": 0.1})


def _properties(dice: Dice, family: str) -> dict[str, object]:
    commission = dice.pick(("percent", 0.0), ("percent", 0.05), ("cash_per_contract", 0.02))
    sizings = (("fixed", 2), ("cash", 1500), ("percent_of_equity", 5))
    is_fixed = family in ("brackets", "groups", "recalculated", "below zero")
    sizing = sizings[0] if is_fixed else dice.pick(*sizings)
    if family == "margins":
        sizing = ("percent_of_equity", dice.pick(60, 95, 99))
    if family == "paired margins":
        sizing = ("percent_of_equity", 55)
    margin = {"margins": 100, "paired margins": 100, "leveraged": 20, "stacked": 20}.get(family, 0)
    if family == "leveraged":
        sizing = ("percent_of_equity", dice.pick(450, 480, 498))
    if family == "stacked":
        sizing = ("percent_of_equity", dice.pick(100, 160, 240))
    if family == "risks":
        sizing = ("percent_of_equity", 90)
    return {
        "default_qty_type": f"strategy.{sizing[0]}",
        "default_qty_value": sizing[1],
        "initial_capital": 100_000,
        "slippage": 0 if family in UNSLIPPED else dice.pick(0, 0, 3),
        "commission_type": f"strategy.commission.{commission[0]}",
        "commission_value": commission[1],
        "process_orders_on_close": family not in AT_OPEN and bool(dice.hits(0.25)),
        "pyramiding": 3 if family in ("pyramids", "stacked") else 1,
        "close_entries_rule": repr(dice.pick("FIFO", "ANY") if family == "pyramids" else "FIFO"),
        "margin_long": margin,
        "margin_short": margin,
        "calc_on_order_fills": family == "recalculated",
        "use_bar_magnifier": family == "magnified",
    }


def _case(family: str, seed: int) -> Case:
    dice = Dice(seed)
    properties = _properties(dice, family)
    symbol = SYMBOLS[seed % len(SYMBOLS)] if family == "straddles" else {}
    orders = FAMILIES[family](dice)
    return {
        "properties": properties,
        "symbol": symbol,
        "orders": orders,
        "risk": [RISKS[seed % len(RISKS)]] if family == "risks" else [],
    }


CASES = [
    (family, seed) for family in FAMILIES for seed in range(CASES_EACH) if (family, seed) not in DIFFERENT
]


class OrderList(ScriptStrategy):
    """States a case's risk rules and issues its orders."""

    name = "orders"

    def __init__(self, orders: Orders, risk: list[tuple[str, list[object]]]) -> None:
        self._orders = orders
        self._risk = risk
        self.broker: BacktestBroker | None = None

    def on_bar(self, bar: Bar, broker: Broker) -> None:
        assert isinstance(broker, BacktestBroker)
        self.broker = broker
        for rule, given in self._risk:
            getattr(broker.risk, rule)(*given)
        for verb, given in self._orders.get(broker.bar_index, ()):
            rest = dict(given)
            for name in ("limit", "stop", "trail_price"):
                if name in rest:
                    rest[name] = 0.0 if rest[name] == "zero" else round(bar.close + rest[name] * 0.01, 2)
            getattr(broker, verb)(**rest)


def _settings(properties: dict[str, object], symbol: dict[str, float]) -> BrokerSettings:
    kind = str(properties["default_qty_type"]).split(".")[1]
    commission, value = (
        str(properties["commission_type"]).split(".")[2],
        float(properties["commission_value"]),
    )
    return BrokerSettings(
        initial_capital=float(properties["initial_capital"]),
        sizing=Sizing(kind, float(properties["default_qty_value"])),
        costs=Costs(
            taker_percent=value if commission == "percent" else 0.0,
            cash_per_contract=value if commission == "cash_per_contract" else 0.0,
            slippage_ticks=int(properties["slippage"]),
        ),
        market=Market(
            tick=0.01, qty_step=symbol.get("mincontract", 0.0001), point_value=symbol.get("pointvalue", 1.0)
        ),
        timing="bar_close" if properties["process_orders_on_close"] else "next_bar_open",
        pyramiding=int(properties["pyramiding"]),
        margin_long_percent=float(properties["margin_long"]),
        margin_short_percent=float(properties["margin_short"]),
        calc_on_order_fills=bool(properties["calc_on_order_fills"]),
        close_rule=str(properties["close_entries_rule"]).strip("'"),
    )


def _run(case: Case) -> tuple[BacktestResult, BacktestBroker]:
    is_magnified = case["properties"]["use_bar_magnifier"]
    rows = _hours(_finer_market()) if is_magnified else _market()
    bars = Bars("TEST", HOUR_NS, START_NS + np.arange(N, dtype=np.int64) * HOUR_NS, *rows.T)
    quarter = HOUR_NS // 4
    quarters = START_NS + np.arange(4 * N, dtype=np.int64) * quarter
    finer = Bars("TEST", quarter, quarters, *_finer_market().T)
    settings = _settings(case["properties"], case["symbol"])
    script = OrderList(case["orders"], case["risk"])
    result = run_script(script, bars, settings, finer=finer if is_magnified else None)
    assert script.broker is not None
    return result, script.broker


def _trades(result: BacktestResult) -> list[list[object]]:
    return [
        [
            trade.direction,
            trade.qty,
            trade.entry_bar,
            trade.entry_price,
            trade.entry_signal,
            trade.exit_bar,
            trade.exit_price,
            trade.exit_signal,
            trade.pnl,
        ]
        for trade in result.trades
    ]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], dict[str, list[object]]]:
    """Closed trades and statistics of every case, from pynecore in a process of its own."""
    folder = tmp_path_factory.mktemp("orders")
    np.save(folder / "bars.npy", _market())
    np.save(folder / "finer.npy", _finer_market())
    (folder / "cases.json").write_text(json.dumps([_case(*case) for case in CASES]))
    program = HERE / "pyne" / "run_orders.py"
    files = ("bars.npy", "finer.npy", "cases.json", "out.json")
    command = [sys.executable, program, *(folder / name for name in files)]
    subprocess.run(command, check=True, capture_output=True)
    return dict(zip(CASES, json.loads((folder / "out.json").read_text()), strict=True))


@pytest.mark.parametrize(("family", "seed"), CASES)
def test_random_orders_trade_as_in_the_independent_runtime(
    theirs: dict[tuple[str, int], dict[str, list[object]]], family: str, seed: int
) -> None:
    result, broker = _run(_case(family, seed))
    ours, expected = _merged(_trades(result)), _merged(theirs[family, seed]["trades"])
    assert list(ours) == list(expected)
    for key, (qty, profit) in ours.items():
        assert (qty, profit) == pytest.approx(expected[key], rel=1e-6, abs=1e-5), key
    if family == "recalculated":  # a bar counts there as often as the script runs
        return
    *_, rise, percent = theirs[family, seed]["statistics"]
    assert (broker.max_runup, broker.max_runup_percent) == pytest.approx((rise, percent), rel=1e-6)


def _merged(rows: list[list[object]]) -> dict[tuple[object, ...], tuple[float, float]]:
    """Quantity and profit by everything else, in order: which leg of one moment comes first is no rule."""
    sums: dict[tuple[object, ...], tuple[float, float]] = {}
    for direction, qty, entry_bar, entry, text, exit_bar, exit_, exit_text, profit in rows:
        labels = (exit_text, text, direction)
        if (entry_bar, entry) == (exit_bar, exit_):
            labels = (*sorted((text, exit_text)), 0)
        key = (exit_bar, round(exit_, 6), entry_bar, round(entry, 6), *labels)
        before = sums.get(key, (0.0, 0.0))
        sums[key] = (before[0] + qty, before[1] + profit)
    return dict(sorted(sums.items(), key=lambda item: item[0]))
