"""Market stream frames: only the fields we use, decoded in one pass, numbers parsed once.

Binance sends prices and sizes as strings; the lax decoder makes floats of them in C. Unknown fields are
skipped. An unknown event, or one whose fields do not fit, decodes to None and is counted by the caller.
"""

import msgspec

from gateways.wire.messages import Level

UM, CM = 1, 2
"""`st` of the USD-M and the COIN-M market. Since the COIN-M migration all-market frames may carry both."""


class DepthFrame(msgspec.Struct, tag_field="e", tag="depthUpdate", gc=False):
    """Changed levels between update ids; `pu` is the `u` of the frame before."""

    s: str
    E: int
    T: int
    U: int
    u: int
    pu: int
    b: list[Level]
    a: list[Level]
    st: int = UM


class BookTickerFrame(msgspec.Struct, tag_field="e", tag="bookTicker", gc=False):
    """Best bid `b` with size `B`, best ask `a` with size `A`."""

    s: str
    u: int
    E: int
    T: int
    b: float
    B: float
    a: float
    A: float
    st: int = UM


class TradeFrame(msgspec.Struct, tag_field="e", tag="trade", gc=False):
    """One trade. p = q = 0 marks a spent id."""

    s: str
    t: int
    T: int
    p: float
    q: float
    m: bool
    st: int = UM


class KlineBody(msgspec.Struct, gc=False):
    """The `k` of a kline frame; `T` is the last millisecond of the bar."""

    t: int
    T: int
    i: str
    o: float
    c: float
    h: float
    l: float  # noqa: E741 - Binance's own name
    v: float
    q: float
    n: int
    x: bool


class KlineFrame(msgspec.Struct, tag_field="e", tag="kline", gc=False):
    """A running or closed bar."""

    s: str
    E: int
    k: KlineBody
    st: int = UM


class MarkPriceFrame(msgspec.Struct, tag_field="e", tag="markPriceUpdate", gc=False):
    """Money depends on the mark price, so it stays text until it is a Decimal."""

    s: str
    E: int
    p: str
    i: str = "0"
    r: str = "0"
    T: int = 0
    st: int = UM


MarketFrame = DepthFrame | BookTickerFrame | TradeFrame | KlineFrame | MarkPriceFrame


class Envelope(msgspec.Struct, gc=False):
    """A combined-stream frame, or the answer to a request of ours (then `stream` is empty)."""

    stream: str = ""
    data: MarketFrame | None = None


class DepthSnapshot(msgspec.Struct, gc=False):
    """REST depth. `E` and `T` in ms."""

    lastUpdateId: int  # noqa: N815 - Binance's own name
    bids: list[Level]
    asks: list[Level]
    E: int = 0
    T: int = 0


_decoder = msgspec.json.Decoder(Envelope, strict=False)


def decode(frame: bytes | str) -> Envelope | None:
    """None for what is not a market frame of ours."""
    try:
        return _decoder.decode(frame)
    except msgspec.MsgspecError:
        return None


def snapshot_from(answer: object) -> DepthSnapshot:
    """The REST answer as it came from the JSON parser. msgspec.ValidationError when it is none."""
    return msgspec.convert(answer, DepthSnapshot, strict=False)
