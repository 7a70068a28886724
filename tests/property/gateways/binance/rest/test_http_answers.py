"""HTTP answers: any split of the bytes gives the same answers; garbage is an error, never a hang."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateways.binance.rest.http_connection import MAX_BODY_BYTES, MAX_HEAD_BYTES, AnswerParser, HttpAnswer

bodies = st.binary(max_size=300)
statuses = st.sampled_from([200, 400, 418, 503])


def with_length(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nX-A: b\r\n\r\n" % (status, len(body)) + body


def chunked(status: int, body: bytes, size: int) -> bytes:
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    text = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in parts)
    return b"HTTP/1.1 %d X\r\nTransfer-Encoding: chunked\r\n\r\n" % status + text + b"0\r\nTrailer: x\r\n\r\n"


def feed_in_pieces(data: bytes, cuts: list[int]) -> list[HttpAnswer]:
    parser = AnswerParser()
    answers = []
    edges = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    for start, end in pairwise(edges):
        answer = parser.feed(data[start:end])
        if answer is not None:
            answers.append(answer)
    return answers


@given(statuses, bodies, st.integers(1, 50), st.booleans(), st.booleans(), st.lists(st.integers(0, 500)))
def test_any_split_gives_the_same_answer(
    status: int, body: bytes, size: int, is_chunked: bool, continues: bool, cuts: list[int]
):
    data = chunked(status, body, size) if is_chunked else with_length(status, body)
    if continues:
        data = b"HTTP/1.1 100 Continue\r\n\r\n" + data
    answers = feed_in_pieces(data, cuts)
    assert [(one.status, one.body) for one in answers] == [(status, body)]


@given(statuses, bodies, st.integers(0, 600))
def test_half_an_answer_is_no_answer(status: int, body: bytes, cut: int):
    data = with_length(status, body)
    parser = AnswerParser()
    answer = parser.feed(data[: min(cut, len(data) - 1)])
    assert answer is None


@given(st.binary(min_size=1, max_size=2000))
def test_garbage_is_an_error(data: bytes):
    parser = AnswerParser()
    with pytest.raises(ValueError, match="answer"):
        parser.feed(b"H" + data.replace(b"T", b"t"))


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"RTSP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * MAX_HEAD_BYTES,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * (MAX_HEAD_BYTES + MAX_BODY_BYTES),
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabcd",
        b"x" * (MAX_HEAD_BYTES + 1),
    ],
)
def test_what_is_no_answer_is_named(data: bytes):
    parser = AnswerParser()
    with pytest.raises(ValueError, match=r"answer|chunk"):
        parser.feed(data)


def test_an_answer_without_a_length_ends_with_the_connection():
    parser = AnswerParser()
    assert parser.feed(b"HTTP/1.0 503 X\r\n\r\nService") is None
    assert parser.feed(b" Unavailable.") is None
    answer = parser.finish()
    assert answer is not None
    assert answer.body == b"Service Unavailable."


def test_an_answer_that_has_no_body_needs_no_length():
    parser = AnswerParser()
    answer = parser.feed(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert answer is not None
    assert answer.body == b""


@given(
    statuses, bodies, st.booleans(), st.sampled_from([b"\r\n", b"\n", b"H", b"x", with_length(200, b"wrong")])
)
def test_bytes_behind_an_answer_end_the_use_of_the_connection(
    status: int, body: bytes, is_chunked: bool, behind: bytes
):
    parser = AnswerParser()
    answer = parser.feed((chunked(status, body, 50) if is_chunked else with_length(status, body)) + behind)
    assert answer is not None
    assert (answer.status, answer.body, parser.is_reusable) == (status, body, False)


@pytest.mark.parametrize(
    ("data", "is_reusable"),
    [
        (with_length(200, b"{}"), True),
        (with_length(200, b""), True),
        (chunked(200, b"{}", 1), True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: Close\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nConnection: close;\r\nContent-Length: 0\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", False),
    ],
)
def test_a_connection_is_kept_unless_the_answer_ends_it(data: bytes, is_reusable: bool):
    parser = AnswerParser()
    assert parser.feed(data) is not None
    assert parser.is_reusable is is_reusable
    if is_reusable:
        again = parser.feed(with_length(200, b"again"))
        assert again is not None
        assert again.body == b"again"


def test_lines_behind_the_last_chunk_are_no_headers():
    parser = AnswerParser()
    answer = parser.feed(chunked(200, b"{}", 2))
    assert answer is not None
    assert dict(answer.headers) == {"transfer-encoding": "chunked"}


@pytest.mark.parametrize(
    "head", [b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked, gzip"]
)
def test_half_an_answer_is_none_when_the_connection_ends(head: bytes):
    parser = AnswerParser()
    assert parser.feed(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n5\r\n{") is None
    assert parser.finish() is None
