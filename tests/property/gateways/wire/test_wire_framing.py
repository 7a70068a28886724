"""Whatever happens to the byte stream: whole messages or a named error, never more than one frame held."""

import itertools
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.wire import messages as m
from gateways.wire.errors import BadMessage, FrameError, FrameTooLarge, TruncatedFrame
from gateways.wire.framing import HEADER_BYTES, FrameDecoder, encode, engine_decoder, gateway_decoder

LIMIT = 2_000
texts = st.text(max_size=20)
ints = st.integers(-(2**63), 2**63 - 1)
floats = st.floats(allow_nan=False)
decimals = st.decimals(allow_nan=False, allow_infinity=False, places=8)
levels = st.lists(st.tuples(floats, floats), max_size=5).map(tuple)

books = st.builds(
    m.OrderBookTick, symbol=texts, update_id=ints, event_time_ns=ints, transaction_time_ns=ints,
    receive_time_ns=ints, bids=levels, asks=levels,
)  # fmt: skip
marks = st.builds(
    m.MarkPrice, texts, decimals, decimals, decimals, next_funding_time_ns=ints, event_time_ns=ints,
    receive_time_ns=ints,
)  # fmt: skip
replies = st.builds(m.Reply, ints, st.sampled_from(["ok", "refused", "unknown"]), code=ints, message=texts)
gaps = st.builds(m.Gap, ints, ints, texts)
to_engine = st.one_of(books, marks, replies, gaps)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def read_all(decoder: FrameDecoder[m.ToEngine], pieces: list[bytes]) -> list[m.ToEngine]:
    return [message for piece in pieces for message in decoder.feed(piece)]


@given(st.lists(to_engine, max_size=6), st.lists(st.integers(0, 10_000), max_size=30))
def test_messages_survive_any_split_and_merge(sent: list[m.ToEngine], places: list[int]) -> None:
    decoder = engine_decoder()
    stream = b"".join(map(encode, sent))
    assert read_all(decoder, cut(stream, places)) == sent
    assert decoder.error is None
    decoder.finish()


@given(st.lists(to_engine, min_size=1, max_size=4), st.data())
def test_a_truncated_stream_yields_the_whole_messages_and_says_that_it_was_cut(
    sent: list[m.ToEngine], data: st.DataObject
) -> None:
    frames = list(map(encode, sent))
    stream = b"".join(frames)
    kept = data.draw(st.integers(0, len(stream)))
    whole = 0
    while whole < len(frames) and sum(map(len, frames[: whole + 1])) <= kept:
        whole += 1
    decoder = engine_decoder()
    assert decoder.feed(stream[:kept]) == sent[:whole]
    if kept == sum(map(len, frames[:whole])):
        decoder.finish()
    else:
        with pytest.raises(TruncatedFrame):
            decoder.finish()


@given(
    st.lists(to_engine, min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(1, 255)), min_size=1, max_size=4),
    st.lists(st.integers(0, 10_000), max_size=10),
)
def test_corruption_yields_messages_or_a_named_error_the_same_however_the_stream_is_cut(
    sent: list[m.ToEngine], flips: list[tuple[int, int]], places: list[int]
) -> None:
    stream = bytearray(b"".join(map(encode, sent)))
    for place, bits in flips:
        stream[place % len(stream)] ^= bits
    whole, pieces = engine_decoder(LIMIT), engine_decoder(LIMIT)
    at_once = whole.feed(bytes(stream))
    in_pieces = read_all(pieces, cut(bytes(stream), places))
    assert [msgspec.msgpack.encode(one) for one in at_once] == [
        msgspec.msgpack.encode(one) for one in in_pieces
    ]
    assert type(whole.error) is type(pieces.error)
    assert whole.error is None or isinstance(whole.error, FrameError)
    for message in at_once:
        assert isinstance(message, m.Message)
    assert max(whole.buffered, pieces.buffered) < LIMIT + HEADER_BYTES


@given(st.lists(st.binary(max_size=300), max_size=30))
def test_noise_is_never_buffered_beyond_one_frame(pieces: list[bytes]) -> None:
    decoder = gateway_decoder(LIMIT)
    for piece in pieces:
        decoder.feed(piece)
        assert decoder.buffered < LIMIT + HEADER_BYTES
        if decoder.error is not None:
            assert decoder.buffered == 0
            assert decoder.feed(encode(m.Heartbeat(1))) == []


def test_a_frame_over_the_limit_is_refused_by_its_header_alone() -> None:
    decoder = engine_decoder(LIMIT)
    assert decoder.feed((LIMIT + 1).to_bytes(HEADER_BYTES, "big")) == []
    assert isinstance(decoder.error, FrameTooLarge)
    with pytest.raises(FrameTooLarge):
        encode(m.Gap(1, 1, "x" * 5_000), LIMIT)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode(["no such tag", 1]),
        msgspec.msgpack.encode(["gap", 1]),
        msgspec.msgpack.encode(["gap", "1", 1, ""]),
        msgspec.msgpack.encode(["gap", 1, 1, ""]) + b"\x00",
        msgspec.msgpack.encode(["heartbeat", "x"]),
        msgspec.msgpack.encode(["submit", 1, "S", "c", "HOLD", "MARKET", "1"]),
        msgspec.msgpack.encode(["mark", "S", "not a number", "1", "1", 1, 1, 1]),
    ],
)
def test_an_unknown_tag_or_bad_field_is_a_bad_message(payload: bytes) -> None:
    good = encode(m.Gap(1, 2, "before"))
    decoder = engine_decoder()
    messages = decoder.feed(good + len(payload).to_bytes(HEADER_BYTES, "big") + payload + good)
    assert messages == [m.Gap(1, 2, "before")]
    assert isinstance(decoder.error, BadMessage)


def test_a_peer_with_fields_we_do_not_know_yet_is_understood() -> None:
    payload = msgspec.msgpack.encode(["gap", 1, 2, "why", "a later field"])
    decoder = engine_decoder()
    assert decoder.feed(len(payload).to_bytes(HEADER_BYTES, "big") + payload) == [m.Gap(1, 2, "why")]


def test_decimals_keep_every_digit() -> None:
    price = Decimal("0.000000010")
    order = m.SubmitOrder(1, "S", "c", "BUY", "LIMIT", Decimal("1.50"), price=price)
    (read,) = gateway_decoder().feed(encode(order))
    assert isinstance(read, m.SubmitOrder)
    assert str(read.price) == str(price)
    assert str(read.qty_base) == "1.50"


@pytest.mark.parametrize("depth", [100, 60_000])
def test_a_field_nested_however_deep_behind_a_message_is_a_named_error_at_most(depth: int) -> None:
    hello = msgspec.msgpack.encode(m.Hello(1, "aaaaaa", 1, ("BTCUSDT",), "p", 0, 0, b"m", b"n"))
    longer = bytes((hello[0] + 1,)) + hello[1:] + b"\x91" * depth + b"\x00"
    decoder = gateway_decoder()
    messages = decoder.feed(len(longer).to_bytes(HEADER_BYTES, "big") + longer)
    assert isinstance(decoder.error, BadMessage) == (not messages)
    assert (depth == 100) == bool(messages)
