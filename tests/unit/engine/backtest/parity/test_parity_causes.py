"""For a divergence the validator says where, in which state, and what would explain it."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from engine.backtest.kernel.runner import run_kernel
from engine.backtest.parity.cases import CaseResult, Prepared, prepare, run_case
from engine.backtest.parity.causes import Cause, likely_cause
from engine.backtest.parity.config import read_config
from engine.backtest.parity.divergence import Divergence, first_divergence
from engine.backtest.parity.explained import Explained
from engine.backtest.parity.report import explanation
from engine.backtest.parity.tv_export import ListedTrade, printed_money, restamped
from tests.support.places import ROOT

SECOND_NS = 1_000_000_000
CONFIG = ROOT / "engine" / "backtest" / "configs" / "validate_sample.json"


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def _prepared(name: str, **changes: object) -> Prepared:
    config = read_config(CONFIG)
    case = next(case for case in config.cases if case.name == name)
    params, broker = changes.pop("params", {}), changes.pop("broker", {})
    assert isinstance(params, dict)
    assert isinstance(broker, dict)
    wrong = case.model_copy(
        update={
            "params": {**case.params, **params},
            "broker": case.broker.model_copy(update=broker),
            **changes,
        }
    )
    (found,) = prepare(config.model_copy(update={"cases": (wrong,)}), {})
    return found


def _explained(prepared: Prepared) -> tuple[CaseResult, Divergence, Cause]:
    result = run_case(prepared, "kernel", run_kernel)
    divergence = first_divergence(result)
    assert divergence is not None
    return result, divergence, likely_cause(result, divergence, run_kernel)


def test_the_variant_of_the_holding_count_is_named():
    result, divergence, cause = _explained(_prepared("mom", params={"entry_bar": "keep"}))
    assert cause.kind == "rule"
    assert cause.matched == cause.of == result.comparison.reference_trades
    assert "entry_bar pending" in cause.sentence
    assert "exit_time" in divergence.columns


@pytest.mark.parametrize(
    ("name", "changes", "kind", "says"),
    [
        ("tema", {"utc_offset_hours": 3.0}, "time zone", "utc_offset_hours 0 "),
        ("cmo", {"utc_offset_hours": 5.0}, "time zone", "utc_offset_hours 5.5"),
        ("ppo", {"params": {"max_holding_strict": True}}, "rule", "max_holding_strict False"),
        ("cci", {"broker": {"commission_percent": 0.04}}, "costs", "commission_percent 0.05"),
        ("trix", {"broker": {"qty_step": 0.01}}, "lot size", "qty_step 0.0001"),
        ("roc_on_close", {"broker": {"process_orders_on_close": False}}, "rule", "on_close True"),
    ],
)
def test_what_was_configured_wrongly_is_named(name: str, changes: dict[str, object], kind: str, says: str):
    _, _, cause = _explained(_prepared(name, **changes))
    assert (cause.kind, cause.matched) == (kind, cause.of)
    assert says in cause.sentence


def test_a_wrong_first_bar_is_named():
    case = next(case for case in read_config(CONFIG).cases if case.name == "trix")
    start = case.history_start
    assert start is not None
    _, _, cause = _explained(_prepared("trix", history_start=start.replace(month=6)))
    assert cause.kind == "history start"
    assert cause.matched > 0.9 * cause.of


def test_a_first_bar_that_gives_extra_trades_alone_is_named():
    _, _, cause = _explained(_prepared("trix", history_start=None))
    assert (cause.kind, cause.matched) == ("history start", cause.of)
    assert "history_start 2023-03-01 00:00 UTC " in cause.sentence
    assert "extra" not in cause.sentence


def test_other_data_are_named_with_the_price_that_gives_them_away():
    prepared = _prepared("rsi_old")
    bar = 3000
    prepared.history.open[bar:] = prepared.history.open[bar:] + 0.01
    prepared.history.high[bar:] = prepared.history.high[bar:] + 0.01
    _, divergence, cause = _explained(prepared)
    assert cause.kind == "data"
    assert "our bar fills at" in cause.sentence
    assert "entry_price" in divergence.columns or "exit_price" in divergence.columns


def test_what_nothing_explains_is_said_to_be_unknown():
    result, divergence, cause = _explained(_prepared("cci", params={"upper": 149.0}))
    assert cause.kind == "unknown"
    assert "the strategy's own parameters are not tried and are the next thing to check" in cause.sentence
    found = result.comparison
    assert found.differing == sum(
        not pair.is_match for pair in found.pairs if pair.listed is not None and pair.generated is not None
    )
    told = explanation(Explained(result, divergence, cause))[0]
    counted = f"{found.missing} missing, {found.extra} extra and {found.differing} different in all"
    assert told.endswith(counted)


def test_a_strategy_of_ones_own_without_the_rules_of_the_ten_is_explained_too():
    prepared = _prepared("cci")
    own = prepared.case.model_copy(update={"strategy": "ema_cross", "params": {}})
    _, divergence, cause = _explained(replace(prepared, case=own))
    assert divergence.columns or divergence.listed or divergence.generated
    assert cause.kind == "unknown"


def test_the_state_is_that_of_the_bar_that_decided():
    result, divergence, _ = _explained(_prepared("ppo", params={"max_holding_strict": True}))
    state = divergence.state
    bars = result.plan.bars
    assert divergence.time_ns - divergence.decision_ns == bars.timeframe_ns
    assert state["close"] == bars.close[state["bar"]]
    assert state["held_bars"] == result.plan.exit_rules.max_holding_bars
    assert state["position_size"] != 0
    values = state["values"]
    assert isinstance(values, dict)
    assert set(values) == {"ppo"}
    assert divergence.listed.endswith("(Max Hold)")


@pytest.mark.parametrize(
    ("name", "broker", "kind", "says"),
    [
        ("cci", {"cash": None}, "sizing", "cash 100 "),
        ("cci", {"cash": None, "percent_of_equity": 10.0}, "sizing", "cash 100 "),
        ("cci", {"initial_capital": 10_000.0}, "capital", "initial_capital 100000 "),
        ("cci", {"slippage_ticks": 7}, "slippage", "slippage_ticks 0 "),
        ("cci", {"cash_per_order": 3.0}, "costs", "commission_percent 0.05 "),
        ("trix", {"point_value": 50.0}, "point value", "point_value 1 "),
    ],
)
def test_settings_of_the_broker_are_read_off_the_list(
    name: str, broker: dict[str, object], kind: str, says: str
):
    _, _, cause = _explained(_prepared(name, broker=broker))
    assert (cause.kind, cause.matched) == (kind, cause.of)
    assert says in cause.sentence


def _with_a_tick_more(prepared: Prepared, *entries: int) -> Prepared:
    """The opens at which these listed trades entered are a tick higher in our bars."""
    bars = prepared.history
    opens, highs = bars.open.copy(), bars.high.copy()
    for number in entries:
        time_ns = prepared.listed[number].entry_time_ns
        opens[bars.open_time_ns == time_ns] += 0.01
    return replace(prepared, history=replace(bars, open=opens, high=np.maximum(highs, opens)))


def _shifted(prepared: Prepared, hours: float) -> Prepared:
    """The same list read in a zone that is so many hours off."""
    case = prepared.case.model_copy(update={"utc_offset_hours": prepared.case.utc_offset_hours + hours})
    zone = timezone(timedelta(hours=case.utc_offset_hours))
    return replace(prepared, case=case, listed=tuple(restamped(one, zone) for one in prepared.listed))


def test_a_differing_tick_does_not_hide_a_wrong_zone():
    _, _, cause = _explained(_shifted(_with_a_tick_more(_prepared("tema"), 40), 3.0))
    assert cause.kinds == ("time zone", "data")
    assert cause.matched == cause.of
    assert "with utc_offset_hours 0 and 1 price of the list in the bars 469 of 469" in cause.sentence


def test_a_missing_size_is_not_blamed_on_the_bars():
    _, _, cause = _explained(_with_a_tick_more(_prepared("cci", broker={"cash": None}), 3, 9, 200))
    assert cause.kinds == ("sizing", "data")
    assert cause.matched == cause.of
    assert cause.sentence.startswith("sizing and data: with cash 100 and 3 prices of the list in the bars")


def test_a_wrong_zone_and_a_missing_size_are_both_named():
    _, _, cause = _explained(_shifted(_prepared("tema", broker={"cash": None}), -5.0))
    assert (set(cause.kinds), cause.matched) == ({"time zone", "sizing"}, cause.of)


def _printed_in(zone: ZoneInfo, trade: ListedTrade) -> ListedTrade:
    """As it is read in its own zone when the chart showed the clock of another one."""
    clocks = [
        datetime.fromtimestamp(time_ns // SECOND_NS, zone).replace(tzinfo=trade.zone)
        for time_ns in (trade.entry_time_ns, trade.exit_time_ns)
    ]
    entry_ns, exit_ns = (int(clock.timestamp()) * SECOND_NS for clock in clocks)
    return replace(trade, entry_time_ns=entry_ns, exit_time_ns=exit_ns)


def test_a_chart_in_a_zone_with_summer_time_is_named():
    prepared = _prepared("cci")
    zone = ZoneInfo("America/New_York")
    in_new_york = tuple(_printed_in(zone, one) for one in prepared.listed)
    _, _, cause = _explained(replace(prepared, listed=in_new_york))
    assert (cause.kind, cause.matched) == ("time zone", cause.of)
    assert "time_zone America/New_York" in cause.sentence


def test_a_cause_that_lets_no_further_trade_match_is_not_named():
    result, _, cause = _explained(_prepared("cci", params={"length": 43, "upper": 60.0}))
    assert (cause.kind, cause.matched) == ("unknown", result.comparison.matched)


def test_a_fill_where_there_is_no_bar_is_said():
    prepared = _prepared("tema")
    kept = prepared.history.open_time_ns != prepared.listed[100].entry_time_ns
    columns = {
        name: getattr(prepared.history, name)[kept]
        for name in ("open_time_ns", "open", "high", "low", "close", "volume_base")
    }
    result, _, cause = _explained(replace(prepared, history=replace(prepared.history, **columns)))
    assert result.comparison.parity < 1.0
    assert "data" in cause.kinds
    assert "where there is no bar" in cause.sentence


def _listing(result: CaseResult) -> tuple[ListedTrade, ...]:
    """What was generated as a list of profits only."""
    return tuple(
        replace(
            pair.listed,
            qty=Decimal(repr(pair.generated.qty)),
            money={"pnl": printed_money(pair.generated.pnl)},
        )
        for pair in result.comparison.pairs
        if pair.listed is not None and pair.generated is not None and not pair.listed.is_open
    )


@pytest.mark.parametrize(
    ("broker", "says"),
    [
        ({"cash_per_order": 1.5, "commission_percent": 0.0}, "cash_per_order 1.5 "),
        ({"cash_per_contract": 2.0, "commission_percent": 0.0}, "cash_per_contract 2 "),
        ({"commission_percent": 0.075}, "commission_percent 0.075 "),
    ],
)
def test_kinds_of_commission_are_told_apart(broker: dict[str, object], says: str):
    paid = run_case(_prepared("cci", broker=broker), "kernel", run_kernel)
    plain = _prepared("cci", broker={"commission_percent": 0.0})
    _, _, cause = _explained(replace(plain, listed=_listing(paid)))
    assert (cause.kind, cause.matched) == ("costs", cause.of)
    assert says in cause.sentence
