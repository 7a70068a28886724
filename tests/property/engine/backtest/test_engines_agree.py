"""Both engines make the same trades, to the last bit, on random markets, rules, settings and accounts."""

from dataclasses import fields

from hypothesis import HealthCheck, given, settings

from engine.backtest.data.plans import SymbolPlan
from engine.backtest.emulator.signal_runner import run_signals
from engine.backtest.kernel.runner import run_kernel
from tests.support.engine_cases import plans


def _assert_engines_agree(given_plans: list[SymbolPlan]) -> None:
    kernel, event = run_kernel(given_plans), run_signals(given_plans)
    for name in (field.name for field in fields(event)):
        assert getattr(kernel, name) == getattr(event, name), name


@settings(
    max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(plans(most_symbols=1))
def test_one_symbol(given_plans: list[SymbolPlan]):
    _assert_engines_agree(given_plans)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(plans(most_symbols=3, most_bars=25))
def test_several_symbols_on_one_account(given_plans: list[SymbolPlan]):
    _assert_engines_agree(given_plans)
