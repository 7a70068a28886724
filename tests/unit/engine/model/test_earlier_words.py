"""What earlier versions wrote in Binance's words means what it meant."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from engine.account.state import AccountStateStore
from engine.core.saved_state import EngineState, encode_state
from engine.journal.segment import decode_record
from engine.model.earlier_words import in_present_words
from engine.model.records import AccountReport, JournalRecord, OrderReport, Record, Replied
from engine.orders.order_states import OrderState
from engine.orders.order_store import OrderStore
from engine.orders.refusals import Reaction, reaction_to
from gateways.wire.messages import AccountUpdate, Balance, Reply
from gateways.wire.words import AccountChange, ForcedClose, Refusal
from tests.support.order_events import PREFIX, intent, key, report
from tests.support.record_samples import samples


def read_back(record: Record, *nested: int) -> JournalRecord:
    """The record as it was written when the message at that place had no last field."""
    row: Any = msgspec.msgpack.decode(msgspec.msgpack.encode(record))
    part = row
    for place in nested:
        part = part[place]
    part.pop()
    return decode_record(msgspec.msgpack.encode(row), "journal", 1)


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        (-2021, Refusal.WOULD_TRIGGER),
        (-2022, Refusal.NOTHING_TO_REDUCE),
        (-4118, Refusal.NOTHING_TO_REDUCE),
        (-4164, Refusal.OFF_GRID),
        (-2019, Refusal.MARGIN),
        (-1015, Refusal.RATE),
        (-2015, Refusal.KEY),
        (-4140, Refusal.NOT_ALLOWED),
        (-1106, Refusal.INVALID),
        (-9999, Refusal.OTHER),
        (0, Refusal.NONE),
    ],
)
def test_a_refusal_of_before_has_its_reason(code: int, refusal: Refusal) -> None:
    record = read_back(Replied(key(), "submit", Reply(1, "refused", code, "no"), 5), 3)
    assert isinstance(record, Replied)
    assert record.reply == Reply(1, "refused", code, "no", refusal=refusal)


def test_an_order_that_was_placed_before_was_refused_for_nothing() -> None:
    """A number taken already was answered with the order and its code."""
    record = read_back(Replied(key(), "submit", Reply(1, "ok", -4116, "taken", report()), 5), 3)
    assert isinstance(record, Replied)
    assert record.reply.refusal is Refusal.NONE


@pytest.mark.parametrize(
    ("reason", "change", "funding", "other"),
    [
        ("FUNDING_FEE", AccountChange.FUNDING, 3, 0),
        ("DEPOSIT", AccountChange.TRANSFER, 0, 0),
        ("COIN_SWAP_WITHDRAW", AccountChange.TRANSFER, 0, 0),
        ("INSURANCE_CLEAR", AccountChange.INSURANCE, 0, 3),
        ("ORDER", AccountChange.TRADE, 0, 3),
        ("MARGIN_CALL", AccountChange.MARGIN_CALL, 0, 3),
        ("RECONCILE", AccountChange.RECONCILE, 0, 3),
        ("SOMETHING_ELSE", AccountChange.OTHER, 0, 3),
    ],
)
def test_a_changed_balance_of_before_counts_as_what_it_was(
    reason: str, change: AccountChange, funding: int, other: int
) -> None:
    balance = Balance("USDT", Decimal(1), Decimal(1), None, Decimal(3))
    record = read_back(AccountReport(AccountUpdate(1, 1, reason, (balance,), (), 1, 1), 5), 1)
    assert isinstance(record, AccountReport)
    assert (record.update.change, record.update.reason) == (change, reason)
    account = AccountStateStore()
    account.replay(record)
    assert (account.funding, account.other_changes) == (funding, other)


@pytest.mark.parametrize(
    ("client_id", "order_type", "forced"),
    [
        ("autoclose-17", "LIMIT", ForcedClose.LIQUIDATION),
        ("x", "LIQUIDATION", ForcedClose.LIQUIDATION),
        ("adl_autoclose", "MARKET", ForcedClose.DELEVERAGING),
        ("settlement_autoclose-1", "MARKET", ForcedClose.SETTLEMENT),
        ("delivery_autoclose-1", "MARKET", ForcedClose.DELIVERY),
        ("web_1", "MARKET", ForcedClose.NONE),
    ],
)
def test_an_order_of_the_exchanges_own_is_known_again(
    client_id: str, order_type: str, forced: ForcedClose
) -> None:
    update = report("FILLED", client_order_id=client_id, order_type=order_type)
    record = read_back(OrderReport(update, 5), 1)
    assert isinstance(record, OrderReport)
    assert record.update == msgspec.structs.replace(update, forced=forced)


def test_an_order_that_ended_against_its_own_account_before_has_ended() -> None:
    store = OrderStore(PREFIX)
    store.intend(intent())
    store.replay(read_back(OrderReport(report("EXPIRED_IN_MATCH"), 5), 1))
    order = store.get(key())
    assert order is not None
    assert order.state is OrderState.EXPIRED


@pytest.mark.parametrize(
    ("code", "reaction"),
    [
        (-2022, Reaction.COMPARE),
        (-1111, Reaction.REGRID),
        (-1106, Reaction.PERSON),
        (-2019, Reaction.AGAIN),
        (-9999, Reaction.AGAIN),
    ],
)
def test_a_refused_order_of_a_snapshot_of_before_is_followed_by_the_same(
    code: int, reaction: Reaction
) -> None:
    store = OrderStore(PREFIX)
    store.intend(intent())
    store.on_reply(key(), "submit", Reply(1, "refused", code, "no"))
    row: Any = msgspec.msgpack.decode(
        encode_state(EngineState(store.state(), AccountStateStore().state(), []))
    )
    row[0][1][0].pop()
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(row), type=EngineState)
    again = OrderStore(PREFIX)
    again.restore(state.orders)
    order = again.get(key())
    assert order is not None
    assert (order.reason, reaction_to(order)) == (f"{code} no", reaction)


def test_a_record_in_present_words_is_returned_as_it_is() -> None:
    assert all(in_present_words(record) is record for record in samples())
