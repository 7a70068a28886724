"""One record of each kind the journal knows."""

from decimal import Decimal

from engine.model.records import (
    AccountKnown,
    AccountReport,
    Adjustment,
    AmendIntent,
    Audit,
    CancelIntent,
    CommandGiven,
    DayBegan,
    EquityMark,
    ExitState,
    Fill,
    JournalRecord,
    OrderClaimed,
    OrderReport,
    RecordsLost,
    Replied,
    Sent,
    Settled,
    Signal,
    Start,
    Stop,
    Unknown,
)
from gateways.wire.messages import AccountUpdate, Balance, PositionReport, Reply
from gateways.wire.words import AccountChange
from tests.support.order_events import SYMBOL, intent, key, report, trade

ONE = Decimal(1)


def fill(trade_id: int = 1, **changes: object) -> Fill:
    """A bought BTC at 50,000."""
    fields: dict[str, object] = {
        "symbol": SYMBOL,
        "client_order_id": key(),
        "exchange_order_id": 101,
        "trade_id": trade_id,
        "strategy": "sma:s1",
        "side": "BUY",
        "price": Decimal(50_000),
        "qty_base": ONE,
        "fee": Decimal(20),
        "fee_asset": "USDT",
        "realised_pnl": Decimal(0),
        "is_maker": False,
        "time_ns": 3_000,
    }
    return Fill(**(fields | changes))  # type: ignore[arg-type]


def signal(**changes: object) -> Signal:
    """A long entry that was traded."""
    fields: dict[str, object] = {
        "strategy": "sma:s1",
        "symbol": SYMBOL,
        "timeframe_ns": 10**9,
        "bar_open_time_ns": 2 * 10**9,
        "enter_long": True,
        "enter_short": False,
        "exit_long": False,
        "exit_short": False,
        "tag": "",
        "values": (1.5, float("nan")),
        "fate": "traded",
        "rule": "",
        "detail": "bought",
        "client_order_ids": (key(),),
        "time_ns": 3 * 10**9,
        "price": 50_000.0,
    }
    return Signal(**(fields | changes))  # type: ignore[arg-type]


def account_update(**changes: object) -> AccountUpdate:
    """A wallet of 10,000 and one BTC held."""
    fields: dict[str, object] = {
        "epoch": 1,
        "sequence": 5,
        "reason": "ORDER",
        "balances": (Balance("USDT", Decimal(10_000), Decimal(10_000)),),
        "positions": (PositionReport(SYMBOL, "BOTH", ONE, Decimal(50_000), Decimal(0), "cross", Decimal(0)),),
        "event_time_ns": 3_000,
        "transaction_time_ns": 3_000,
        "change": AccountChange.TRADE,
    }
    return AccountUpdate(**(fields | changes))  # type: ignore[arg-type]


def samples() -> list[JournalRecord]:
    """One of each kind."""
    return [
        Start("abcdef", 1, "demo:test", 1, 1),
        Stop(2),
        intent(1, price=Decimal("1E+3"), stop_price=Decimal("0.10")),
        Sent(key(), 7, 3),
        CancelIntent(key(), SYMBOL, "flatten", 4),
        AmendIntent(key(), SYMBOL, ONE, Decimal("50000.10"), 5),
        Replied(key(), "submit", Reply(7, "ok", order=report(), sent_time_ns=5), 6),
        Settled(key(2), "complete scan", 7),
        Unknown(key(2), "link", 8),
        AccountKnown("SgsR", 8),
        RecordsLost("the records after 7 are lost", 8),
        OrderClaimed(key(3), "sma:s1", 8),
        OrderReport(trade(1, "0.5", "0.5"), 9),
        AccountReport(account_update(), 10),
        fill(),
        signal(),
        ExitState("sma:s1", SYMBOL, 5, b"\0\1\2"),
        CommandGiven("c1", "pause", {"symbol": SYMBOL}, "control", 11),
        Adjustment(SYMBOL, "EXTERNAL", Decimal("-0.5"), ONE, "drift", "two snapshots", 12),
        DayBegan(19_675, Decimal("-1.5"), 12),
        EquityMark(Decimal(10_000), ONE, Decimal(-2), Decimal("0.5"), 13),
        Audit("warning", "health", "stale", 14),
    ]
