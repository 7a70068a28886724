"""Records of the journal: one tagged, positional `msgspec.Struct` for each kind of record.

Fields may only be appended, with a default. Times are integer nanoseconds UTC (`_ns`), quantities are in
the base asset (`_base`), money in the quote asset; both are Decimal. `side` is "BUY" or "SELL".
"""

from decimal import Decimal

import msgspec

from gateways.wire.messages import AccountUpdate, OrderUpdate, Reply, Side
from gateways.wire.words import CONDITIONAL_TYPES

SCHEMA_VERSION = 3
"""Grows with every new kind of record: an older version could not read it."""
EXTERNAL = "EXTERNAL"
"""Owner of orders and fills that this engine did not send."""
LOST = "LOST"
"""Owner of orders that this engine sent and whose records are lost: their ids are its own, and the journal
does not know them."""


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=True):
    """Base of everything the journal holds."""


class Start(Record, frozen=True, tag="start"):
    """An engine opened the journal. `engine_id` is made once; `fencing` grows by one each start."""

    engine_id: str
    fencing: int
    account: str
    schema_version: int
    time_ns: int


class Stop(Record, frozen=True, tag="stop"):
    """An engine closed the journal in good order."""

    time_ns: int


class Intent(Record, frozen=True, tag="intent"):
    """An order we mean to place; flushed before a byte of it leaves.

    `price` and `stop_price` are None where the type has none. `cause` and `leg` are the words its client
    id was made of (`engine.orders.client_ids`). `is_exit` orders pass the gates that stop entries.
    `rest_base` is to follow when this has filled, because it is more than the exchange takes at once.
    """

    client_order_id: str
    strategy: str
    symbol: str
    side: Side
    order_type: str
    qty_base: Decimal
    cause: str
    leg: str
    attempt: int
    time_ns: int
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str = ""
    reduce_only: bool = False
    close_position: bool = False
    is_exit: bool = False
    signal: str = ""
    rest_base: Decimal = Decimal(0)

    @property
    def is_conditional(self) -> bool:
        """Whether it waits for a price before it is placed in the book."""
        return self.order_type in CONDITIONAL_TYPES


class Sent(Record, frozen=True, tag="sent"):
    """The order request was handed to the gateway."""

    client_order_id: str
    request_id: int
    time_ns: int


class CancelIntent(Record, frozen=True, tag="cancel"):
    """A cancel we mean to send."""

    client_order_id: str
    symbol: str
    reason: str
    time_ns: int


class AmendIntent(Record, frozen=True, tag="amend"):
    """New price and quantity we mean to give a resting order."""

    client_order_id: str
    symbol: str
    qty_base: Decimal
    price: Decimal
    time_ns: int


class Replied(Record, frozen=True, tag="reply"):
    """The gateway's answer to a request about one order. `request` is submit, cancel, amend or query."""

    client_order_id: str
    request: str
    reply: Reply
    time_ns: int


class Settled(Record, frozen=True, tag="settled"):
    """Proof that an order never reached the exchange (or was refused there); `reason` names the proof.

    `gone`: it had been there, but the exchange no longer knows it.
    """

    client_order_id: str
    reason: str
    time_ns: int
    gone: bool = False


class Unknown(Record, frozen=True, tag="unknown"):
    """The fate of an order became unknown (`reason`: cut link, time-out, restart)."""

    client_order_id: str
    reason: str
    time_ns: int


class OrderReport(Record, frozen=True, tag="report"):
    """An order update as it came, whichever path brought it."""

    update: OrderUpdate
    time_ns: int


class AccountReport(Record, frozen=True, tag="account"):
    """An account update as it came."""

    update: AccountUpdate
    time_ns: int


class Fill(Record, frozen=True, tag="fill"):
    """One execution, counted once. `strategy` is its owner, or EXTERNAL. `qty_base` is positive.

    `realised_pnl` and `fee` are the exchange's own numbers.
    """

    symbol: str
    client_order_id: str
    exchange_order_id: int
    trade_id: int
    strategy: str
    side: Side
    price: Decimal
    qty_base: Decimal
    fee: Decimal
    fee_asset: str
    realised_pnl: Decimal
    is_maker: bool
    time_ns: int
    source: str = "stream"
    signal: str = ""

    @property
    def signed_base(self) -> Decimal:
        """Quantity with the sign it gives the position."""
        return self.qty_base if self.side == "BUY" else -self.qty_base


class Signal(Record, frozen=True, tag="signal"):
    """One signal of one bar and what became of it.

    `fate` is traded, vetoed, late, duplicate, warming, suspect, paused, failed or ignored; `rule` names the
    rule that vetoed; `detail` is one sentence for a person. An entry among `client_order_ids` that the
    exchange refuses later makes it rejected (`engine.orders.signal_fate`), which no record repeats.
    `values` are those of the plotted series by `value_names`, without those that were na; records of earlier
    versions have no names.
    """

    strategy: str
    symbol: str
    timeframe_ns: int
    bar_open_time_ns: int
    enter_long: bool
    enter_short: bool
    exit_long: bool
    exit_short: bool
    tag: str
    values: tuple[float, ...]
    fate: str
    rule: str
    detail: str
    client_order_ids: tuple[str, ...]
    time_ns: int
    price: float = 0.0
    action: str = ""
    value_names: tuple[str, ...] = ()


class ExitState(Record, frozen=True, tag="exit_state"):
    """State of one strategy's exit rules on one symbol after a bar, as the owner serialised it."""

    strategy: str
    symbol: str
    bar_open_time_ns: int
    state: bytes


class CommandGiven(Record, frozen=True, tag="command"):
    """An operator's command. `origin` says which client gave it; `engine/core/given.py` knows `arguments`."""

    command_id: str
    name: str
    arguments: dict[str, str]
    origin: str
    time_ns: int


class Adjustment(Record, frozen=True, tag="adjustment"):
    """A difference between the exchange's position and our fills that was accepted, with its evidence.

    `qty_base` is signed. It is never a fill: no price was paid that we know of. `entry_price` is the
    exchange's for the position it leaves; `realised_pnl` values what it takes away at the mark price, for the
    loss of the day. One `between_owners` is half of a pair that moves quantity from one owner to another: the
    symbol's own position stays as it is.
    """

    symbol: str
    strategy: str
    qty_base: Decimal
    entry_price: Decimal
    reason: str
    evidence: str
    time_ns: int
    between_owners: bool = False
    realised_pnl: Decimal = Decimal(0)


class RecordsLost(Record, frozen=True, tag="lost"):
    """The journal lacks records, and `text` says by what that is known; "": they have been replaced."""

    text: str
    time_ns: int


class OrderClaimed(Record, frozen=True, tag="claimed"):
    """An order of LOST is known to be that strategy's."""

    client_order_id: str
    strategy: str
    time_ns: int


class AccountKnown(Record, frozen=True, tag="account_known"):
    """The exchange's own name of the account that this journal is about."""

    account_id: str
    time_ns: int


class DayBegan(Record, frozen=True, tag="day"):
    """The first event of a day (number of days since 1970, UTC), and the total P&L at that moment."""

    day: int
    baseline: Decimal
    time_ns: int


class EquityMark(Record, frozen=True, tag="equity"):
    """Money at one moment, for the equity curve. Quote asset; fees are positive when paid."""

    wallet_balance: Decimal
    realised_pnl: Decimal
    unrealised_pnl: Decimal
    fees: Decimal
    time_ns: int


class Audit(Record, frozen=True, tag="audit"):
    """Worth keeping, but changes no state: a change of life cycle, a refusal, a finding."""

    level: str
    kind: str
    text: str
    time_ns: int


JournalRecord = (
    Start
    | Stop
    | Intent
    | Sent
    | CancelIntent
    | AmendIntent
    | Replied
    | Settled
    | Unknown
    | OrderReport
    | AccountReport
    | Fill
    | Signal
    | ExitState
    | CommandGiven
    | Adjustment
    | RecordsLost
    | OrderClaimed
    | AccountKnown
    | DayBegan
    | EquityMark
    | Audit
)


def is_essential(record: JournalRecord) -> bool:
    """Whether a record may use the space kept for exits when the disk is full.

    Entries, signals and curves may not; exits, cancels and everything the exchange says may.
    """
    if isinstance(record, Intent):
        return record.is_exit or record.reduce_only or record.close_position
    return not isinstance(record, (Signal, EquityMark, Audit))
