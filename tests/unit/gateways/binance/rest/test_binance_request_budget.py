"""What the exchange lets us ask, and who goes first."""

import pytest

from gateways.binance.rest.request_budget import Priority, RequestBudget

MINUTE_NS = 60_000_000_000
START_NS = 1_000 * MINUTE_NS


class Now:
    def __init__(self) -> None:
        self.ns = START_NS

    def __call__(self) -> int:
        return self.ns


def budget(limit: int = 100) -> tuple[RequestBudget, Now]:
    now = Now()
    return RequestBudget(now, limit), now


def test_questions_stop_first_and_cancels_last():
    book, _ = budget(100)
    stopped = []
    for _ in range(200):
        for priority in (Priority.QUERY, Priority.OPEN, Priority.CLOSE, Priority.PROTECT, Priority.CANCEL):
            if priority not in stopped and book.wait_for(1, 0, priority) > 0:
                stopped.append(priority)
    assert stopped == [Priority.QUERY, Priority.OPEN, Priority.CLOSE, Priority.PROTECT, Priority.CANCEL]
    assert book.used_weight == 100


def test_the_window_is_the_exchange_clocks_minute():
    book, now = budget(10)
    now.ns += 45_000_000_000
    assert book.wait_for(10, 0, Priority.CANCEL) == 0.0
    assert book.wait_for(1, 0, Priority.CANCEL) == 15.0
    now.ns += 15_000_000_000
    assert book.wait_for(1, 0, Priority.CANCEL) == 0.0


def test_the_exchanges_own_count_wins_when_it_is_higher():
    book, now = budget(100)
    now.ns += 2_000_000_000
    book.wait_for(5, 0, Priority.QUERY)
    book.on_headers({"x-mbx-used-weight-1m": "69"})
    book.on_headers({"x-mbx-used-weight-1m": "12"})
    assert book.used_weight == 69
    assert book.wait_for(2, 0, Priority.QUERY) > 0
    assert book.wait_for(2, 0, Priority.OPEN) == 0.0


def test_a_count_of_the_minute_before_does_not_fill_the_new_one():
    book, now = budget(100)
    now.ns += 59_900_000_000
    book.wait_for(65, 0, Priority.QUERY)
    now.ns += 200_000_000
    book.on_headers({"x-mbx-used-weight-1m": "65"})
    assert book.wait_for(20, 0, Priority.QUERY) == 0.0


def test_orders_are_counted_in_both_windows():
    book, now = budget()
    for _ in range(240):
        assert book.wait_for(0, 1, Priority.OPEN) == 0.0
    assert book.wait_for(0, 1, Priority.OPEN) == 10.0
    assert book.wait_for(0, 1, Priority.PROTECT) == 0.0
    now.ns += 10_000_000_000
    assert book.wait_for(0, 1, Priority.OPEN) == 0.0


def test_too_many_orders_stop_orders_but_not_cancels():
    book, now = budget()
    book.exhaust_orders({})
    assert book.wait_for(0, 1, Priority.PROTECT) > 0
    assert book.wait_for(1, 0, Priority.CANCEL) == 0.0
    now.ns += 10_000_000_000
    assert book.wait_for(0, 1, Priority.OPEN) == 0.0


def test_the_exchanges_own_term_for_orders_outlasts_the_shorter_window():
    book, now = budget()
    book.exhaust_orders({"retry-after": "45"})
    now.ns += 44_000_000_000
    assert book.wait_for(0, 1, Priority.PROTECT) == 1.0
    assert book.wait_for(1, 0, Priority.CANCEL) == 0.0
    now.ns += 1_000_000_000
    assert book.wait_for(0, 1, Priority.OPEN) == 0.0


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        ({"retry-after": "17"}, "", 17.0),
        ({}, "no term given", 5.0),
        ({}, f"banned until {(START_NS + 90_000_000_000) // 1_000_000}", 90.0),
    ],
)
def test_a_ban_stops_everybody_for_its_term(headers: dict[str, str], text: str, seconds: float):
    book, now = budget()
    now.ns = START_NS if "until" not in text else 1_700_000_000_000_000_000
    if "until" in text:
        text = f"banned until {(now.ns + 90_000_000_000) // 1_000_000}"
    assert book.stop(headers, text, 5.0) == seconds
    assert book.wait_for(1, 0, Priority.CANCEL) == seconds
    assert book.banned_until_ns > now.ns
    now.ns += int(seconds * 1e9)
    assert book.wait_for(1, 0, Priority.CANCEL) == 0.0
    assert book.banned_until_ns == 0


def test_limits_are_read_from_exchange_info():
    book, _ = budget()
    book.set_limits(
        [
            {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
            {"rateLimitType": "SOMETHING_NEW", "limit": 1},
            {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": "broken"},
        ]
    )
    assert book.weight_limit == 6000


def test_while_a_page_stands_before_the_exchange_exits_and_cancels_try_on_slowly():
    book, now = budget()
    book.hold({}, 120.0)
    assert (book.banned_until_ns, book.is_held) == (START_NS + 120_000_000_000, True)
    tried: dict[Priority, list[int]] = {}
    for second in range(10):
        now.ns = START_NS + second * 1_000_000_000
        for priority in Priority:
            if book.wait_for(1, 0, priority, kind="submit") == 0.0:
                tried.setdefault(priority, []).append(second)
    assert tried == {key: [0, 2, 4, 6, 8] for key in (Priority.CLOSE, Priority.PROTECT, Priority.CANCEL)}
    assert book.wait_for(1, 0, Priority.CANCEL) == 111.0


def test_an_answer_of_the_exchange_ends_the_wait_for_everybody():
    book, _ = budget()
    book.hold({"retry-after": "30"}, 120.0)
    assert book.wait_for(1, 0, Priority.QUERY) == 30.0
    book.release()
    assert book.wait_for(1, 0, Priority.QUERY) == 0.0


def test_a_ban_lets_nothing_through():
    book, _ = budget()
    book.stop({"retry-after": "30"}, "", 120.0)
    book.hold({}, 120.0)
    assert not book.is_held
    assert book.wait_for(1, 0, Priority.CANCEL, kind="cancel") == 30.0
