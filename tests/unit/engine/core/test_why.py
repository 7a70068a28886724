"""`why` names for each signal that was not followed what stood in its way, and for each order its end."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from engine.core.engine import Engine
from engine.model.audit import Answer
from engine.model.broker_settings import Sizing
from engine.model.config import EngineConfig
from engine.model.events import Command, Event, JournalState
from engine.model.limits import RiskLimits
from engine.model.records import Signal
from engine.strategies.calls import StrategyFault
from gateways.wire import messages as wire
from runtime.control.commands import CommandName
from tests.support.engine_rig import START_NS, Rig, config, spec
from tests.unit.engine.core.test_engine_restarts import UP, mark, restarted

HEAD = "11-14 22:13:24 sma_crossover_inflection:s1 BTCUSDT long at 100.1: "
ONE = Decimal(1)


def why(rig: Rig, strategy: str = "", symbol: str = "") -> str:
    """What is said of the signals, behind the lines about the strategy."""
    lines = said(rig, strategy, symbol).splitlines()[1:]
    return "\n".join(line for line in lines if not line.startswith("  "))


def said(rig: Rig, strategy: str = "", symbol: str = "") -> str:
    rig.feed(Command(rig.now_ns, "w", "why", strategy, symbol))
    answer = rig.notices(Answer)[-1]
    assert isinstance(answer, Answer)
    assert answer.ok
    return answer.text


def limited(**limits: object) -> EngineConfig:
    return config(limits=RiskLimits(**limits))  # type: ignore[arg-type]  # a limit's name


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            limited(max_order_notional_quote=ONE),
            "vetoed by order_notional [Long Entry] (order notional 10.1200 is above 1)",
        ),
        (
            limited(max_position_notional_quote=ONE),
            "vetoed by position_notional [Long Entry] (position notional 10.000 would be above 1)",
        ),
        (
            limited(max_total_notional_quote=ONE),
            "vetoed by total_notional [Long Entry] (total notional 10.000 would be above 1)",
        ),
        (
            limited(max_leverage=Decimal("0.0001")),
            "vetoed by leverage [Long Entry] (notional 10.000 on equity 10000 is above leverage 0.0001)",
        ),
        (
            config(spec(sizing=Sizing("fixed", 0.00001))),
            "vetoed by size [Long Entry] (0.00001000 BTC is less than the smallest order)",
        ),
    ],
)
def test_a_limit_is_named_with_both_numbers(settings: EngineConfig, said: str) -> None:
    rig = Rig(Engine(settings)).up()
    mark(rig, "100", START_NS)
    rig.prices(*UP)
    assert why(rig) == HEAD + said


OFF = "the machine's clock is more than 0.5 s"


def give(name: CommandName, **narrow: str) -> Callable[[Rig], object]:
    return lambda rig: rig.feed(Command(rig.now_ns, "op", name, **narrow))


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (give("pause"), "vetoed by paused [Long Entry] (trading is paused since 2023-11-14 22:13:23 UTC)"),
        (give("pause", symbol="BTCUSDT"), "paused [Long Entry] (command op)"),
        (give("kill"), "vetoed by kill_switch [Long Entry] (killed at 2023-11-14 22:13:23 UTC by ctl)"),
        (lambda rig: rig.down(), "suspect [Long Entry] (the bar has a hole in its data)"),
        (lambda rig: rig.status(fresh=()), "suspect [Long Entry] (the bar has a hole in its data)"),
        (
            lambda rig: rig.status(clock_uncertainty_ns=10**12),
            "vetoed by clock [Long Entry] (the exchange's clock is not known well enough)",
        ),
        (
            lambda rig: rig.status(clock_offset_ns=700_000_000),
            f"vetoed by clock [Long Entry] ({OFF} behind the exchange's; set it right)",
        ),
        (
            lambda rig: rig.status(clock_offset_ns=-(10**9)),
            f"vetoed by clock [Long Entry] ({OFF} ahead of the exchange's; set it right)",
        ),
        (
            lambda rig: rig.status(clock_offset_ns=10**12),
            "late [Long Entry] (999.0 s after the close of the bar)",
        ),
        (
            lambda rig: rig.status(streams={"public": "up", "market": "up", "private": "down", "rest": "up"}),
            "vetoed by links [Long Entry] (the gateway's private stream or requests are down)",
        ),
        (
            lambda rig: rig.feed(JournalState(rig.now_ns, accepts_entries=False)),
            "vetoed by journal [Long Entry] (the journal takes no entries)",
        ),
    ],
)
def test_a_state_that_gives_no_entries_is_named(trouble: Callable[[Rig], object], said: str) -> None:
    rig = Rig().up().prices(*UP[:4])
    trouble(rig)
    rig.tick(4, 101)
    assert why(rig).removeprefix("11-14 22:13:23 ").removeprefix("11-14 22:13:24 ") == HEAD[15:] + said


def test_an_order_tells_its_end_filled_or_refused_by_the_exchange_and_over_a_restart() -> None:
    def refuse(order: wire.SubmitOrder) -> list[Event]:
        return [wire.Reply(order.request_id, "refused", -2019, "Margin is insufficient.")]

    refused = Rig().up()
    refused.exchange.on_submit = refuse
    refused.prices(*UP)
    end = "rejected [Long Entry] (-2019 Margin is insufficient.)"
    assert why(refused) == HEAD + end
    assert why(restarted(refused, config())) == HEAD + end
    traded = Rig().up().prices(*UP)
    assert why(traded) == HEAD + "traded [Long Entry]; entry filled 0.1 at 101.2"


def test_an_order_in_doubt_is_said_to_be() -> None:
    rig = Rig().up()
    rig.exchange.on_submit = lambda _: []
    rig.exchange.on_query = lambda _: []
    rig.prices(*UP)
    assert why(rig) == HEAD + "traded [Long Entry]; entry sent"
    rig.down()
    assert why(rig) == HEAD + "traded [Long Entry]; entry unknown"


def test_why_is_narrowed_by_strategy_and_symbol_and_says_when_there_is_nothing() -> None:
    rig = Rig().up()
    assert why(rig) == "no signal yet"
    rig.prices(*UP)
    assert why(rig, "sma") == why(rig, "", "BTCUSDT") == why(rig)


NAME = "sma_crossover_inflection:s1 on BTCUSDT: "


def test_why_says_first_what_keeps_a_strategy_from_trading_now() -> None:
    rig = Rig(Engine(config(spec(params={"short": 2, "long": 5, "smoothing": 2})))).up()
    rig.tick(0, 100)
    assert said(rig).splitlines()[0] == NAME + "warming up 0/7 bars, nothing else is in the way"
    rig.prices(*[100 + k % 3 for k in range(4)])
    assert said(rig).splitlines()[0].startswith(NAME + "warming up 3/7 bars")
    rig.feed(Command(rig.now_ns, "p", "pause"))
    assert (
        said(rig)
        .splitlines()[0]
        .endswith("bars; entries wait: trading is paused since 2023-11-14 22:13:23 UTC")
    )
    rig.feed(Command(rig.now_ns, "r", "resume"))
    rig.feed(Command(rig.now_ns, "p2", "pause", "", "BTCUSDT"))
    assert said(rig).splitlines()[0].endswith("/7 bars, paused until resume")


def test_why_says_when_nothing_is_in_the_way_and_what_has_failed() -> None:
    rig = Rig().up().prices(*UP)
    assert said(rig).splitlines()[0] == NAME + "running, nothing keeps it from trading"
    rig.status(fresh=())
    assert said(rig).splitlines()[0].startswith(NAME + "running; entries wait: BTCUSDT: no fresh book")
    rig.engine.strategies.fail(rig.engine.strategies.slots[0], StrategyFault("ValueError: no (x.py line 3)"))
    assert said(rig).splitlines()[0].startswith(NAME + "failed: ValueError: no (x.py line 3)")


def test_the_conditions_of_the_last_bar_are_told_with_their_numbers() -> None:
    rig = Rig(Engine(config())).up()
    mark(rig, "100", START_NS)
    rig.prices(*UP)
    lines = said(rig).splitlines()
    assert lines[1] == "  bar of 2023-11-14 22:13:23 UTC:"
    assert lines[2].startswith("    enter_long true: rises (latch(up true, down false)) and falls[1]")
    assert lines[3].startswith("    enter_short false: falls (latch(down false, up true))")


def test_the_values_behind_a_signal_are_kept_by_their_names_without_those_that_are_na() -> None:
    rig = Rig(Engine(config())).up()
    mark(rig, "100", START_NS)
    rig.prices(*UP)
    [signal] = rig.records(Signal)
    assert isinstance(signal, Signal)
    assert signal.value_names == ("short_sma", "long_sma", "slope", "crossover")
    assert len(signal.values) == len(signal.value_names)
