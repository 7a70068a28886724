"""The vocabulary spoken between a gateway and an engine.

Every message is a tagged, positional `msgspec.Struct`: on the wire it is a msgpack array whose first
element is the tag. Fields may only be appended, with a default; anything else is a new protocol
version.

Units: times are integer nanoseconds UTC and end in `_ns`; quantities are in the base asset and end in
`_base`; prices and money are in the quote asset. Market data are floats, what money depends on is
`Decimal`. `side` is "BUY" or "SELL". What an engine acts on is said in words of `gateways.wire.words`,
whatever the exchange calls it; beside them travel the exchange's own code and sentence, for people.
"""

from decimal import Decimal
from typing import Literal

import msgspec

from gateways.wire.words import AccountChange, ForcedClose, Refusal

PROTOCOL_VERSION = 3

Side = Literal["BUY", "SELL"]
Level = tuple[float, float]
"""Price and quantity (base) of one order book level."""


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=True):
    """Base of everything that travels in a frame."""


class Challenge(Message, frozen=True, tag="challenge"):
    """First frame, gateway to engine: prove that you hold the token."""

    protocol_version: int
    nonce: bytes


class Hello(Message, frozen=True, tag="hello"):
    """Engine's answer. `mac` is HMAC-SHA256(token, nonce + canonical bytes of the other fields).

    A lower `fencing` than one already seen for `engine_id` is refused, so an engine that was paused
    and replaced cannot come back. `last_epoch` and `last_sequence` name the last order event that was
    journalled; the gateway replays from there.
    """

    protocol_version: int
    engine_id: str
    fencing: int
    symbols: tuple[str, ...]
    client_id_prefix: str
    last_epoch: int
    last_sequence: int
    mac: bytes
    nonce: bytes = b""


class Welcome(Message, frozen=True, tag="welcome"):
    """The connection is open. Replayed order events, or a `Gap`, follow.

    `mac` is HMAC-SHA256(token, the hello's nonce): the gateway proves itself too. Sequences count each
    engine's own order events from 1; `epoch` is new with each start of the gateway.
    """

    gateway: str
    epoch: int
    next_sequence: int
    mac: bytes = b""


class Refused(Message, frozen=True, tag="refused"):
    """The connection is not opened; `reason` is one sentence for a person. The socket closes.

    `mac` proves that the gateway says so (`wire.token: refused_mac`); it is empty towards a peer that has
    not proven itself. A refusal without it is not believed: anybody on this machine could have said it.
    """

    code: str
    reason: str
    mac: bytes = b""


class OrderBookTick(Message, frozen=True, tag="book"):
    """The top N levels of a synchronised book, best first.

    `receive_time_ns` is the gateway's wall clock when the frame that caused the tick arrived.
    """

    symbol: str
    update_id: int
    event_time_ns: int
    transaction_time_ns: int
    receive_time_ns: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


class TradeTick(Message, frozen=True, tag="trade"):
    """One public trade. `is_buyer_maker` true means the seller was the aggressor."""

    symbol: str
    trade_id: int
    price: float
    qty_base: float
    is_buyer_maker: bool
    transaction_time_ns: int
    receive_time_ns: int


class Kline(Message, frozen=True, tag="kline"):
    """A bar of the exchange's own making; `close_time_ns` is the next bar's open (half-open)."""

    symbol: str
    interval: str
    open_time_ns: int
    close_time_ns: int
    open: float
    high: float
    low: float
    close: float
    volume_base: float
    volume_quote: float
    trades: int
    is_closed: bool
    event_time_ns: int


class MarkPrice(Message, frozen=True, tag="mark"):
    """Mark and index price with the running funding rate."""

    symbol: str
    mark_price: Decimal
    index_price: Decimal
    funding_rate: Decimal
    next_funding_time_ns: int
    event_time_ns: int
    receive_time_ns: int


class OrderUpdate(Message, frozen=True, tag="order"):
    """One report on one order, from the user stream, or from a query when `source` is "query".

    `epoch` and `sequence` are 0 when the update travels inside a `Snapshot` or `Reply`. `execution` is what
    happened (NEW, TRADE, CANCELED, EXPIRED, AMENDMENT, ...), `status` where the order stands now: FILLED,
    CANCELED, EXPIRED and REJECTED are final, every other word is not. `trade_id` is 0 when the report carries
    no fill. `is_conditional` marks an order that waits for a price: it has an `exchange_order_id` of its own,
    and `child_order_id` is the order that it triggered (0 before that). Unknown words of the exchange are
    passed on as they came.
    """

    epoch: int
    sequence: int
    symbol: str
    client_order_id: str
    exchange_order_id: int
    side: Side
    order_type: str
    time_in_force: str
    execution: str
    status: str
    price: Decimal
    stop_price: Decimal
    average_price: Decimal
    qty_base: Decimal
    filled_base: Decimal
    last_price: Decimal
    last_qty_base: Decimal
    trade_id: int
    is_maker: bool
    fee: Decimal
    fee_asset: str
    realised_pnl: Decimal
    reduce_only: bool
    close_position: bool
    reason: str
    event_time_ns: int
    transaction_time_ns: int
    source: str = "stream"
    is_conditional: bool = False
    child_order_id: int = 0
    forced: ForcedClose = ForcedClose.NONE


class Balance(Message, frozen=True, tag="balance"):
    """`wallet` excludes unrealised profit; `available` is None where the exchange did not say.

    `change` is what an event has added to the wallet beside P&L and commission: funding, a transfer.
    """

    asset: str
    wallet: Decimal
    cross_wallet: Decimal
    available: Decimal | None = None
    change: Decimal = Decimal(0)


class PositionReport(Message, frozen=True, tag="position"):
    """The exchange's own word on one position. `qty_base` is signed: negative is short."""

    symbol: str
    position_side: str
    qty_base: Decimal
    entry_price: Decimal
    unrealised_pnl: Decimal
    margin_type: str
    isolated_wallet: Decimal
    mark_price: Decimal | None = None
    liquidation_price: Decimal | None = None


class AccountUpdate(Message, frozen=True, tag="account"):
    """Changed balances and positions; `reason` is the exchange's own word for `change`."""

    epoch: int
    sequence: int
    reason: str
    balances: tuple[Balance, ...]
    positions: tuple[PositionReport, ...]
    event_time_ns: int
    transaction_time_ns: int
    change: AccountChange = AccountChange.NONE


class Gap(Message, frozen=True, tag="gap"):
    """Order events between the engine's cursor and `next_sequence` are gone: reconcile by snapshot."""

    epoch: int
    next_sequence: int
    reason: str


class Bracket(Message, frozen=True, tag="bracket"):
    """One leverage bracket: maintenance = notional * ratio - cum, for floor <= notional < cap."""

    floor_quote: Decimal
    cap_quote: Decimal
    max_leverage: int
    maintenance_ratio: Decimal
    cum_quote: Decimal


class Instrument(Message, frozen=True, tag="instrument"):
    """Filters, fees and leverage brackets of one symbol, as the exchange stated them."""

    symbol: str
    base_asset: str
    quote_asset: str
    status: str
    price_tick: Decimal
    min_price: Decimal
    max_price: Decimal
    qty_step_base: Decimal
    min_qty_base: Decimal
    max_qty_base: Decimal
    market_max_qty_base: Decimal
    min_notional_quote: Decimal
    price_band_up: Decimal
    price_band_down: Decimal
    max_open_orders: int
    maker_fee: Decimal
    taker_fee: Decimal
    liquidation_fee: Decimal
    leverage: int
    brackets: tuple[Bracket, ...]


class GatewayStatus(Message, frozen=True, tag="status"):
    """Health of the links behind the gateway; sent on every change and once a second.

    `streams` maps a link ("public", "market", "private", "rest") to "up", "stale" or "down".
    `fresh_symbols` have a synchronised book. `clock_offset_ns` is exchange time minus local time.
    `budget_used` of `budget_limit` is how much of what the exchange lets us ask in a minute has been used.
    `multi_assets_margin` is the account's asset mode, None while it is not known. `keys_refused` is what the
    exchange says against the API key ("": nothing): until it is taken back no request gets through.
    `exits_still_sent`: it is no ban, exits and cancels are still sent, slowly. `unanswered` is what the
    exchange says it cannot answer now, a sentence of bounded length ("": nothing).
    """

    gateway: str
    time_ns: int
    streams: dict[str, str]
    fresh_symbols: tuple[str, ...]
    clock_offset_ns: int
    clock_uncertainty_ns: int
    budget_used: int
    budget_limit: int
    banned_until_ns: int
    conflated_ticks: int
    dropped_market_events: int
    resyncs: int
    multi_assets_margin: bool | None = None
    keys_refused: str = ""
    exits_still_sent: bool = False
    unanswered: str = ""


class Snapshot(Message, frozen=True, tag="snapshot"):
    """The exchange's whole truth for the claimed symbols at one moment.

    `complete` is false when any part could not be fetched; an incomplete snapshot proves nothing
    absent. `cursor_sequence` is the last order event the gateway had sent before it was taken.
    `account_id` is the exchange's own name of the account ("": not told).
    """

    request_id: int
    complete: bool
    balances: tuple[Balance, ...]
    positions: tuple[PositionReport, ...]
    open_orders: tuple[OrderUpdate, ...]
    fills: tuple[OrderUpdate, ...]
    instruments: tuple[Instrument, ...]
    hedge_mode: bool
    multi_assets_margin: bool
    epoch: int
    cursor_sequence: int
    time_ns: int
    account_id: str = ""


Outcome = Literal["ok", "refused", "unknown", "transient", "not_found", "error"]
"""ok: done. refused: definitely not done. unknown: may have been done. transient: not done, may be
tried again. not_found: the exchange answered that it does not know the order. error: our own fault."""


class Reply(Message, frozen=True, tag="reply"):
    """Answer to one request. `sent_time_ns` is when the order request left the gateway (0: never).

    `code` and `message` are the exchange's own, for people; `refusal` says what an engine can act on.
    """

    request_id: int
    outcome: Outcome
    code: int = 0
    message: str = ""
    order: OrderUpdate | None = None
    sent_time_ns: int = 0
    answered_time_ns: int = 0
    refusal: Refusal = Refusal.NONE


class KlinesReply(Message, frozen=True, tag="klines"):
    """Answer to `RequestKlines`: closed bars ascending, then possibly the open one."""

    request_id: int
    symbol: str
    interval: str
    klines: tuple[Kline, ...]
    complete: bool


class Subscribe(Message, frozen=True, tag="subscribe"):
    """Wanted market data of claimed symbols: "book", "trade", "mark", "kline:<interval>"."""

    request_id: int
    symbols: tuple[str, ...]
    streams: tuple[str, ...]
    depth_levels: int = 5


class SubmitOrder(Message, frozen=True, tag="submit"):
    """Place one order. Types: MARKET, LIMIT, STOP_MARKET.

    `price` and `stop_price` are None where the type has none. `caused_by_receive_ns` is the
    `receive_time_ns` of the tick that led to the order (0: none), for latency only.
    """

    request_id: int
    symbol: str
    client_order_id: str
    side: Side
    order_type: str
    qty_base: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: str = ""
    reduce_only: bool = False
    caused_by_receive_ns: int = 0
    is_exit: bool = False


class CancelOrder(Message, frozen=True, tag="cancel"):
    """Cancel by client id."""

    request_id: int
    symbol: str
    client_order_id: str
    is_conditional: bool = False


class AmendOrder(Message, frozen=True, tag="amend"):
    """New price and quantity of a resting LIMIT order; it loses its place in the queue."""

    request_id: int
    symbol: str
    client_order_id: str
    side: Side
    qty_base: Decimal
    price: Decimal


class QueryOrder(Message, frozen=True, tag="query"):
    """Ask the exchange about one order. With `scan_since_ns` > 0 and an unknown id, the gateway also
    scans the complete order history from then on before it answers not_found."""

    request_id: int
    symbol: str
    client_order_id: str
    is_conditional: bool = False
    scan_since_ns: int = 0


class RequestSnapshot(Message, frozen=True, tag="request_snapshot"):
    """Ask for a `Snapshot` with every fill since `fills_since_ns`."""

    request_id: int
    fills_since_ns: int


class RequestKlines(Message, frozen=True, tag="request_klines"):
    """History for warm-up, newest `limit` bars ending at `end_time_ns` (0: now)."""

    request_id: int
    symbol: str
    interval: str
    limit: int
    end_time_ns: int = 0


class SetLeverage(Message, frozen=True, tag="leverage"):
    """Set the symbol's leverage."""

    request_id: int
    symbol: str
    leverage: int


class Heartbeat(Message, frozen=True, tag="heartbeat"):
    """The sender's loop is alive. The engine's keeps the exchange's dead man's switch from firing, if armed.

    A gateway sends one when it has had nothing else to say; the wire client keeps it to itself.
    """

    time_ns: int
    countdown_ms: int = 0


ToEngine = (
    Challenge
    | Welcome
    | Refused
    | OrderBookTick
    | TradeTick
    | Kline
    | MarkPrice
    | OrderUpdate
    | AccountUpdate
    | Gap
    | Instrument
    | GatewayStatus
    | Snapshot
    | Reply
    | KlinesReply
    | Heartbeat
)
ToGateway = (
    Hello
    | Subscribe
    | SubmitOrder
    | CancelOrder
    | AmendOrder
    | QueryOrder
    | RequestSnapshot
    | RequestKlines
    | SetLeverage
    | Heartbeat
)
