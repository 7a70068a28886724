"""What keeps entries out is one list: the verdict on an entry and what people are told never differ."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.model.cause import Cause
from engine.model.events import Command, JournalState, Timer
from engine.model.leg import ENTRY
from engine.model.limits import RiskLimits, Verdict
from engine.model.records import Intent
from engine.model.timeframes import SECOND_NS
from engine.risk.facts import gates
from engine.risk.facts.gates import AccountFacts, SymbolFacts, blockers
from engine.risk.manager import RiskManager
from gateways.wire.messages import AccountUpdate, Balance
from tests.support.engine_rig import Rig
from tests.support.order_events import intent
from tests.support.places import ROOT
from tests.support.risk_facts import account_facts, risk_context, symbol_facts

D = Decimal
VALUES: dict[str, tuple[object, ...]] = {
    "killed": ("", "by hand"),
    "keys_refused": ("", "HTTP 401 -2015"),
    "rebuild": ("", "`rebuild`"),
    "status": ("", "BREAK", "TRADING"),
    "margin_mode": ("", "isolated", "cross"),
    "unconfirmed_leverage": (0, 5),
    "daily_pnl_quote": (D(0), D(-500)),
    "max_daily_loss_quote": (None, D(500)),
    "symbol": ("BTCUSDT",),
    "quote_asset": ("", "USDT", "USDC"),
    "money": ("USDT",),
}
"""Of the fields that are no plain yes or no."""


def combinations(kind: type[AccountFacts] | type[SymbolFacts]) -> Iterator[dict[str, object]]:
    names = kind.__struct_fields__
    for values in product(*(VALUES.get(name, (False, True)) for name in names)):
        yield dict(zip(names, values, strict=True))


def verdict(account: AccountFacts, symbol: SymbolFacts, order: Intent | None = None) -> Verdict:
    context = risk_context(account=account, symbol=symbol)
    return RiskManager(RiskLimits()).validate_order(order or intent(), context)


ALL_WRONG = symbol_facts(
    **{name: values[0] for name, values in VALUES.items() if name in SymbolFacts.__struct_fields__},
    book_fresh=False,
    mark_known=False,
)


@pytest.mark.parametrize("symbol", [symbol_facts(), ALL_WRONG], ids=["symbol well", "symbol wrong"])
def test_an_entry_passes_exactly_when_nothing_is_said_to_block_it(symbol: SymbolFacts) -> None:
    for fields in combinations(AccountFacts):
        account = account_facts(**fields)
        assert verdict(account, symbol).allowed == (blockers(account, [symbol]) == ()), fields


@pytest.mark.parametrize("paused", [False, True])
def test_it_is_so_for_all_that_may_be_wrong_with_a_symbol(paused: bool) -> None:
    account = account_facts(paused=paused)
    for fields in combinations(SymbolFacts):
        symbol = symbol_facts(**fields)
        assert verdict(account, symbol).allowed == (blockers(account, [symbol]) == ()), fields


def test_each_gate_alone_is_the_one_that_is_named() -> None:
    for fields in combinations(AccountFacts):
        account = account_facts(**fields)
        closed = [gate for gate in gates.ACCOUNT_GATES if gate.is_closed(account)]
        if len(closed) == 1:
            assert verdict(account, symbol_facts()).rule == closed[0].name
            assert blockers(account, [symbol_facts()]) == (closed[0].text(account),)


def test_what_leaves_needs_only_a_connection() -> None:
    leaving = intent(side="SELL", reduce_only=True)
    for fields in combinations(AccountFacts):
        account = account_facts(**fields)
        assert verdict(account, ALL_WRONG, leaving).allowed == account.connected, fields


def test_no_fact_has_a_value_of_its_own() -> None:
    """A fact that nobody fills in must be an error, not an open gate."""
    for kind in (AccountFacts, SymbolFacts, type(risk_context())):
        assert kind.__struct_defaults__ == ()


def test_every_gate_is_on_the_page() -> None:
    page = (ROOT / "docs" / "assumptions.md").read_text("utf-8")
    for gate in (*gates.ACCOUNT_GATES, *gates.SYMBOL_GATES):
        assert f"`{gate.name}`" in page


def test_symbols_with_the_same_trouble_share_a_sentence() -> None:
    stale = [symbol_facts(f"S{number}USDT", book_fresh=False) for number in range(7)]
    said = blockers(account_facts(), [*stale, symbol_facts(mark_known=False)])
    assert said == (
        "S0USDT, S1USDT, S2USDT, S3USDT, S4USDT and 2 more: no fresh book",
        "BTCUSDT: no mark price has come",
    )


WELL = {"public": "up", "market": "up", "private": "up", "rest": "up"}
EVENTS = {
    "private stream down": lambda rig: rig.status(streams={**WELL, "private": "down"}),
    "requests down": lambda rig: rig.status(streams={**WELL, "rest": "down"}),
    "limit used up": lambda rig: rig.status(budget_used=2_300),
    "clock unknown": lambda rig: rig.status(clock_uncertainty_ns=10**12),
    "clock off": lambda rig: rig.status(clock_offset_ns=10**9),
    "no book": lambda rig: rig.status(fresh=()),
    "multi-assets": lambda rig: rig.status(multi_assets_margin=True),
    "all well": lambda rig: rig.status(),
    "journal full": lambda rig: rig.feed(JournalState(rig.now_ns, accepts_entries=False)),
    "journal well": lambda rig: rig.feed(JournalState(rig.now_ns, accepts_entries=True)),
    "set back": lambda rig: rig.feed(Timer(rig.now_ns - 3_600 * SECOND_NS)),
    "down": lambda rig: rig.down(),
    "up": lambda rig: rig.up(),
    "time": lambda rig: rig.wait(40),
    "tick": lambda rig: rig.tick((rig.now_ns - 1_700_000_000 * SECOND_NS) / SECOND_NS, 100),
    "mark": lambda rig: rig.mark(),
    "loss": lambda rig: rig.feed(
        AccountUpdate(1, 0, "FUNDING_FEE", (Balance("USDT", D(1), D(1), D(1), D(-999)),), (), 1, 1)
    ),
    "pause": lambda rig: rig.feed(Command(rig.now_ns, f"p{len(rig.events)}", "pause")),
    "kill": lambda rig: rig.feed(Command(rig.now_ns, f"k{len(rig.events)}", "kill")),
    "resume": lambda rig: rig.feed(Command(rig.now_ns, f"r{len(rig.events)}", "resume")),
}


@settings(deadline=None)
@given(st.lists(st.sampled_from(sorted(EVENTS)), min_size=1, max_size=12))
def test_after_any_events_the_engine_takes_an_entry_exactly_when_it_says_so(names: list[str]) -> None:
    rig = Rig()
    for name in names:
        EVENTS[name](rig)
        health, gate = rig.engine.health, rig.engine.gate
        asked = gate.intent("s", "BTCUSDT", "BUY", "MARKET", D("0.1"), cause=Cause.bar(1, 1), leg=ENTRY)
        assert gate.verdict_on_terms(asked).allowed == (health.blockers("BTCUSDT") == ()), names
