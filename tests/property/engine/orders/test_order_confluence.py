"""Any arrival order of the same reports, with any repetition, ends in the same state."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import combinations, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.orders.order_states import TERMINAL, TRANSITIONS, OrderState
from engine.orders.order_store import Applied, Order, OrderStore
from gateways.wire.messages import OrderUpdate, Reply
from tests.support.order_events import PREFIX, intent, key, report, trade

Event = Callable[[OrderStore], Applied | None]


def said(update: OrderUpdate) -> Event:
    return lambda store: store.apply(update)


def sent(store: OrderStore) -> Applied | None:
    return store.mark_sent(key())


def unknown(store: OrderStore) -> Applied | None:
    return store.mark_unknown(key())


def refused(store: OrderStore) -> Applied | None:
    return store.on_reply(key(), "submit", Reply(1, "refused", -2019, "Margin is insufficient."))


def acknowledged(store: OrderStore) -> Applied | None:
    return store.on_reply(key(), "submit", Reply(1, "ok"))


FIRST, SECOND, LAST = trade(1, "0.25", "0.25"), trade(2, "0.25", "0.5"), trade(3, "0.5", "1")
ALGO = {"is_conditional": True, "order_type": "STOP_MARKET", "exchange_order_id": 10**15}
SCENARIOS: dict[str, tuple[tuple[Event, ...], OrderState, str]] = {
    "filled in pieces": (
        (sent, said(report()), said(FIRST), said(SECOND), said(LAST), acknowledged),
        OrderState.FILLED,
        "1",
    ),
    "cancelled after a part": (
        (sent, unknown, said(report()), said(FIRST), said(SECOND), said(report("CANCELED", time_ns=9_000))),
        OrderState.CANCELED,
        "0.5",
    ),
    "expired while the last fill was on its way": (
        (sent, said(report()), said(FIRST), said(SECOND), said(LAST), said(report("EXPIRED", time_ns=9_000))),
        OrderState.FILLED,
        "1",
    ),
    "told both ways how it ended": (
        (
            sent,
            said(report("CANCELED", time_ns=9_000)),
            said(report("EXPIRED", time_ns=9_000)),
            said(report("REJECTED", time_ns=9_000)),
        ),
        OrderState.CANCELED,
        "0",
    ),
    "refused": ((sent, unknown, refused), OrderState.REJECTED, "0"),
    "refused, yet the exchange has it": (
        (sent, unknown, refused, said(report()), said(FIRST)),
        OrderState.PARTIALLY_FILLED,
        "0.25",
    ),
    "amended between fills": (
        (
            sent,
            said(report(qty_base=Decimal(1))),
            said(FIRST),
            said(report("PARTIALLY_FILLED", time_ns=2_002, qty_base=Decimal("0.75"), execution="AMENDMENT")),
            said(trade(4, "0.5", "0.75", qty_base=Decimal("0.75"), status="FILLED")),
        ),
        OrderState.FILLED,
        "0.75",
    ),
    "a stop whose child fills before the trigger is told": (
        (
            said(report("NEW", time_ns=1_500, **ALGO)),
            said(report("TRIGGERED", time_ns=2_000, child_order_id=7, **ALGO)),
            said(report("FINISHED", time_ns=2_010, child_order_id=7, **ALGO)),
            said(report("NEW", exchange_order_id=7, time_ns=2_000)),
            said(trade(1, "1", "1", exchange_order_id=7)),
        ),
        OrderState.FILLED,
        "1",
    ),
    "a stop refused at its trigger": (
        (
            said(report("NEW", time_ns=1_500, **ALGO)),
            said(report("TRIGGERING", time_ns=2_000, **ALGO)),
            said(report("REJECTED", time_ns=2_010, reason="-2019", **ALGO)),
        ),
        OrderState.REJECTED,
        "0",
    ),
}


def play(events: Sequence[Event]) -> tuple[Order, tuple[int, ...]]:
    """Run events, checking each step; returns the order and the counted fills."""
    store = OrderStore(PREFIX)
    order = store.intend(intent())
    fills: list[int] = []
    for event in events:
        before, filled = order.state, order.filled_base
        applied = event(store)
        assert order.state is before or order.state in TRANSITIONS[before]
        assert order.filled_base >= filled
        if applied is not None and applied.fill is not None:
            fills.append(applied.fill.trade_id)
    assert (order in list(store.open_orders())) == (order.state not in TERMINAL)
    return order, tuple(sorted(fills))


def outcome(events: Sequence[Event]) -> tuple[object, ...]:
    order, fills = play(events)
    return (
        order.state,
        order.filled_base,
        order.qty_base,
        order.average_price,
        set(order.exchange_ids) and tuple(sorted(order.exchange_ids)),
        order.reason,
        fills,
    )


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_permutation_with_repetitions_ends_the_same(name: str):
    events, state, filled = SCENARIOS[name]
    order, fills = play(events)
    assert (order.state, order.filled_base) == (state, Decimal(filled))
    assert len(fills) == len(set(fills))
    expected = outcome(events)
    repeats = [subset for size in (0, 1, 2) for subset in combinations(events, size)]
    chosen = repeats if len(events) < 6 else [(), events[:2], events[3:]]
    for arrival in permutations(events):
        for again in chosen:
            assert outcome((*arrival, *again)) == expected
            assert outcome((*again, *arrival)) == expected


@given(st.data())
def test_any_subset_arriving_early_changes_nothing_in_the_end(data: st.DataObject):
    name = data.draw(st.sampled_from(sorted(SCENARIOS)))
    events = SCENARIOS[name][0]
    noise = data.draw(st.lists(st.sampled_from(events), max_size=20))
    arrival = data.draw(st.permutations(list(events)))
    cut = data.draw(st.integers(0, len(noise)))
    assert outcome((*noise[:cut], *arrival, *noise[cut:])) == outcome(events)


def test_a_refusal_that_the_exchange_disproves_is_a_contradiction():
    store = OrderStore(PREFIX)
    store.intend(intent())
    refused(store)
    applied = store.apply(report())
    assert applied.contradiction
    assert applied.order.state is OrderState.ACCEPTED
    assert not store.apply(report()).contradiction


class StoreMachine(RuleBasedStateMachine):
    """Many orders, reports in any order, against a plain model of what was ever told."""

    def __init__(self) -> None:
        super().__init__()
        self.store = OrderStore(PREFIX, closed_capacity=3)
        self.intended: set[int] = set()
        self.fills: dict[int, Decimal] = {}
        self.counted: dict[int, Decimal] = {}

    @rule(number=st.integers(1, 6))
    def intend(self, number: int) -> None:
        if self.store.was_used(key(number)):
            with pytest.raises(KeyError):
                self.store.intend(intent(number))
        else:
            self.store.intend(intent(number))
            self.intended.add(number)

    @rule(number=st.integers(1, 6), status=st.sampled_from(["NEW", "CANCELED", "EXPIRED", "SOMETHING_NEW"]))
    def told(self, number: int, status: str) -> None:
        self.store.apply(report(status, number=number))

    @rule(number=st.integers(1, 6), piece=st.integers(1, 4))
    def filled(self, number: int, piece: int) -> None:
        trade_id = number * 10 + piece
        applied = self.store.apply(trade(trade_id, "0.25", str(Decimal(piece) / 4), number=number))
        self.fills[trade_id] = Decimal("0.25")
        if applied.fill is not None:
            assert trade_id not in self.counted
            self.counted[trade_id] = applied.fill.qty_base

    @rule(number=st.integers(1, 6))
    def restarted(self, number: int) -> None:
        other = OrderStore(PREFIX, closed_capacity=3)
        other.restore(self.store.state())
        other.mark_unknown(key(number))
        self.store = other

    @invariant()
    def every_fill_counted_once(self) -> None:
        assert self.counted == self.fills

    @invariant()
    def bounded_and_disjoint(self) -> None:
        state = self.store.state()
        assert len(state.closed) <= 3
        assert all(order.state not in TERMINAL for order in state.open)
        assert all(order.state in TERMINAL for order in state.closed)
        for number in self.intended:
            assert self.store.was_used(key(number))


TestStore = StoreMachine.TestCase
