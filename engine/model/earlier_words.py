"""The words of records that earlier versions wrote.

Until 2026-12 records held Binance's own codes and words, and the engine knew what they mean. Since then the
gateway says it in words of the wire (`gateways.wire.words`). Whatever is read from a disk passes here, so
that a record of before means what it meant. Nothing is added to these tables: what is new comes from the
gateway.
"""

import msgspec

from engine.model.records import AccountReport, JournalRecord, OrderReport, Replied
from gateways.wire.messages import AccountUpdate, OrderUpdate, Reply
from gateways.wire.words import AccountChange, ForcedClose, Refusal

_REFUSALS = {
    -2021: Refusal.WOULD_TRIGGER,
    **dict.fromkeys((-2022, -4118), Refusal.NOTHING_TO_REDUCE),
    **dict.fromkeys((-1111, -4003, -4004, -4005, -4013, -4014, -4023, -4164), Refusal.OFF_GRID),
    **dict.fromkeys((-2018, -2019), Refusal.MARGIN),
    **dict.fromkeys((-1003, -1015), Refusal.RATE),
    **dict.fromkeys((-1022, -2014, -2015), Refusal.KEY),
    **dict.fromkeys((-1121, -4061, -4088, -4109, -4140, -4141, -4142, -4402, -4403), Refusal.NOT_ALLOWED),
}
_INVALID = range(-1199, -1099)
_CHANGES = {
    "ORDER": AccountChange.TRADE,
    "FUNDING_FEE": AccountChange.FUNDING,
    "INSURANCE_CLEAR": AccountChange.INSURANCE,
    "MARGIN_CALL": AccountChange.MARGIN_CALL,
    "RECONCILE": AccountChange.RECONCILE,
    **dict.fromkeys(
        (
            *("DEPOSIT", "WITHDRAW", "WITHDRAW_REJECT", "ADMIN_DEPOSIT", "ADMIN_WITHDRAW"),
            *("MARGIN_TRANSFER", "MARGIN_TYPE_CHANGE", "ASSET_TRANSFER", "AUTO_EXCHANGE"),
            *("COIN_SWAP_DEPOSIT", "COIN_SWAP_WITHDRAW"),
        ),
        AccountChange.TRANSFER,
    ),
}
_FORCED = {
    "autoclose-": ForcedClose.LIQUIDATION,
    "adl_autoclose": ForcedClose.DELEVERAGING,
    "settlement_autoclose-": ForcedClose.SETTLEMENT,
    "delivery_autoclose-": ForcedClose.DELIVERY,
}
_STATUSES = {"EXPIRED_IN_MATCH": "EXPIRED"}
_TRANSLATED = frozenset({OrderReport, AccountReport, Replied})


def refusal_in(reason: str) -> Refusal:
    """Of an order's reason, which begins with the exchange's code where that refused it."""
    word = reason.partition(" ")[0]
    return _refusal_of(int(word)) if word.startswith("-") and word[1:].isdigit() else Refusal.NONE


def in_present_words(record: JournalRecord) -> JournalRecord:
    """The same record; one that says everything in the wire's words is returned as it is."""
    if type(record) not in _TRANSLATED:
        return record
    if isinstance(record, OrderReport):
        update = _order(record.update)
        return record if update is record.update else msgspec.structs.replace(record, update=update)
    if isinstance(record, AccountReport):
        change = _account(record.update)
        return record if change is record.update else msgspec.structs.replace(record, update=change)
    assert isinstance(record, Replied)
    reply = _reply(record.reply)
    return record if reply is record.reply else msgspec.structs.replace(record, reply=reply)


def _refusal_of(code: int) -> Refusal:
    if code >= 0:
        return Refusal.NONE
    return _REFUSALS.get(code, Refusal.INVALID if code in _INVALID else Refusal.OTHER)


def _order(update: OrderUpdate) -> OrderUpdate:
    status = _STATUSES.get(update.status, update.status)
    forced = update.forced or _forced(update)
    if status == update.status and forced is update.forced:
        return update
    return msgspec.structs.replace(update, status=status, forced=forced)


def _forced(update: OrderUpdate) -> ForcedClose:
    if "autoclose" in update.client_order_id:
        for prefix, forced in _FORCED.items():
            if update.client_order_id.startswith(prefix):
                return forced
    return ForcedClose.LIQUIDATION if update.order_type == "LIQUIDATION" else ForcedClose.NONE


def _account(update: AccountUpdate) -> AccountUpdate:
    if update.change:
        return update
    change = _CHANGES.get(update.reason, AccountChange.OTHER)
    return msgspec.structs.replace(update, change=change)


def _reply(reply: Reply) -> Reply:
    order = None if reply.order is None else _order(reply.order)
    refusal = reply.refusal or (Refusal.NONE if reply.outcome == "ok" else _refusal_of(reply.code))
    if order is reply.order and refusal is reply.refusal:
        return reply
    return msgspec.structs.replace(reply, order=order, refusal=refusal)
