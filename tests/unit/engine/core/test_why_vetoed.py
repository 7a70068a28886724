"""`why` names the rule that vetoed a strategy's last entry, or that would veto one now."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from engine.core.engine import Engine
from engine.model.broker_settings import Sizing
from engine.model.config import EngineConfig
from engine.model.events import Event
from engine.risk.rules import order_notional
from gateways.wire import messages as wire
from tests.support.engine_rig import START_NS, Rig, config, spec
from tests.unit.engine.core.test_engine_restarts import UP, mark, restarted
from tests.unit.engine.core.test_why import NAME, ONE, limited, said
from tests.unit.engine.execution.scripts.test_engine_scripts import scripted

TOO_MUCH = "vetoed by order_notional (order notional 10.1200 is above 1)"


def standing(rig: Rig) -> str:
    return said(rig).splitlines()[0].removeprefix(NAME)


def marked(settings: EngineConfig) -> Rig:
    rig = Rig(Engine(settings)).up()
    mark(rig, "100", START_NS)
    return rig


def test_a_rule_that_would_veto_an_entry_now_is_named_and_so_is_the_last_entry() -> None:
    rig = marked(limited(max_order_notional_quote=ONE)).prices(*UP)
    assert standing(rig) == (
        f"running, but an entry now would be {TOO_MUCH}; so was its last entry, at 11-14 22:13:24"
    )


def test_it_is_named_before_there_was_any_entry_and_after_a_restart() -> None:
    settings = limited(max_order_notional_quote=ONE)
    rig = marked(settings).prices(*UP[:4])
    assert standing(rig).startswith("running, but an entry now would be vetoed by order_notional (")
    assert "last entry" not in standing(rig)
    rig.tick(4, 101)
    again = restarted(rig, settings).up().prices(101, 101, 101, 101, start=6)
    assert standing(again).startswith("running, but an entry now would be vetoed by order_notional (")
    assert standing(again).endswith("; so was its last entry, at 11-14 22:13:24")


def test_a_rule_that_refuses_one_direction_is_named_with_that_direction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        order_notional.OrderNotional,
        "check",
        lambda _, order, __: "no shorts" if order.side == "SELL" else "",
    )
    rig = marked(limited(max_order_notional_quote=ONE)).prices(100, 100, 100, 100, 100)
    assert standing(rig) == "running, but a short entry now would be vetoed by order_notional (no shorts)"


def test_an_entry_that_was_vetoed_and_would_not_be_now_is_told_as_past(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = marked(limited(max_order_notional_quote=ONE)).prices(*UP)
    monkeypatch.setattr(order_notional.OrderNotional, "check", lambda *_: "")
    assert standing(rig) == (
        f"running, nothing keeps it from trading now; its last entry, at 11-14 22:13:24, was {TOO_MUCH}"
    )


def test_an_entry_that_the_exchange_refused_is_told() -> None:
    def refuse(order: wire.SubmitOrder) -> list[Event]:
        return [wire.Reply(order.request_id, "refused", -2019, "Margin is insufficient.")]

    rig = marked(config())
    rig.exchange.on_submit = refuse
    rig.prices(*UP)
    assert standing(rig) == (
        "running, nothing keeps it from trading now; "
        "its last entry, at 11-14 22:13:24, was refused by the exchange (-2019 Margin is insufficient.)"
    )


@pytest.mark.parametrize(
    ("sizing", "limits", "names"),
    [
        (Sizing("fixed", 0.00001), {}, "but an entry now would be vetoed by size (0.00001000 BTC is less"),
        (
            Sizing("percent_of_equity", 50.0),
            {"max_leverage": Decimal("0.1")},
            "but an entry now would be vetoed by",
        ),
        (Sizing("risk_percent", 1.0), {"max_order_notional_quote": ONE}, "nothing keeps it from trading"),
    ],
)
def test_it_is_told_where_the_size_of_an_entry_is_known_before_its_signal(
    sizing: Sizing, limits: dict[str, Decimal], names: str
) -> None:
    settings = limited(**limits)
    rig = marked(config(spec(sizing=sizing), limits=settings.limits)).prices(*UP[:4])
    assert standing(rig).startswith(f"running, {names}")


def test_asking_why_sends_nothing_and_uses_no_id() -> None:
    asked, silent = (marked(limited()).prices(*UP[:4]) for _ in range(2))
    standing(asked)
    for rig in (asked, silent):
        rig.tick(4, 101)
    assert asked.sent(wire.SubmitOrder) == silent.sent(wire.SubmitOrder)
    assert len(asked.sent(wire.SubmitOrder)) == 1


SCRIPTS: dict[str, Callable[[], Rig]] = {
    "limit": lambda: scripted(
        {1: lambda _, b: b.entry("L", "long", 0.1, limit=95.0)},
        "entry",
        "entry.limit",
        limits=limited(max_order_notional_quote=ONE).limits,
    ),
    "market": lambda: scripted(
        {1: lambda _, b: b.entry("L", "long", 0.1)}, limits=limited(max_order_notional_quote=ONE).limits
    ),
}


def test_a_resting_entry_of_a_script_that_a_rule_keeps_out_is_told_while_it_is_wanted() -> None:
    rig = SCRIPTS["limit"]().prices(100, 101, 102)
    assert (
        said(rig)
        .splitlines()[0]
        .endswith(
            "running, but its resting entry L is vetoed by order_notional (order notional 9.5000 is above 1)"
        )
    )
    rig.engine.trades.withdraw_entries(rig.engine.strategies.slots[0])
    assert said(rig).splitlines()[0].endswith("running, nothing keeps it from trading")


def test_a_script_that_was_refused_at_market_is_told_by_its_last_entry_alone() -> None:
    rig = SCRIPTS["market"]().prices(100, 101, 102)
    first = said(rig).splitlines()[0]
    assert "running, but its last entry, at 11-14 22:13:2" in first
    assert "was vetoed by order_notional (order notional 10." in first
