"""For a divergence the validator says where, in which state, and what would explain it."""

from pathlib import Path

import pytest

from engine.backtest.kernel.runner import run_kernel
from engine.backtest.parity_causes import Cause, likely_cause
from engine.backtest.parity_divergence import Divergence, first_divergence
from engine.backtest.validate_cases import CaseResult, Prepared, prepare, run_case
from engine.backtest.validate_config import read_config

ROOT = Path(__file__).resolve().parents[2]
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
    _, _, cause = _explained(_prepared("cci", params={"upper": 149.0}))
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
