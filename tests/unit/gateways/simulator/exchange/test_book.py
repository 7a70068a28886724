"""The queue rule of the simulated order book."""

import pytest

from gateways.simulator.exchange.model.book import Book, Entry


def resting(book: Book, side: str, price: int, lots: int, order_id: int = 1) -> Entry:
    entry = Entry("a", order_id, side, price, lots)
    book.rest(entry)
    return entry


def test_bids_are_best_high_and_asks_best_low():
    book = Book()
    for price in (98, 100, 99):
        book.add("BUY", price, price)
    for price in (103, 101, 102):
        book.add("SELL", price, price)
    assert (book.best_bid(), book.best_ask()) == (100, 101)
    assert book.depth(2) == ([(100, 100), (99, 99)], [(101, 101), (102, 102)])


def test_an_order_waits_for_the_size_present_when_it_came():
    book = Book()
    book.add("BUY", 100, 50)
    entry = resting(book, "BUY", 100, 10)
    book.add("BUY", 100, 70)
    fills: list[tuple[int, int]] = []
    assert book.take_anonymous("SELL", 60, None, fills) == 10
    assert fills == [(100, 50)]
    assert book.front_entry("SELL", None) is entry


def test_size_that_came_later_stands_behind_the_order():
    book = Book()
    entry = resting(book, "BUY", 100, 10)
    book.add("BUY", 100, 70)
    assert book.front_entry("SELL", None) is entry
    book.fill(entry, 10)
    fills: list[tuple[int, int]] = []
    assert book.take_anonymous("SELL", 70, None, fills) == 0
    assert fills == [(100, 70)]
    assert book.best_bid() is None


def test_a_cancel_is_spread_over_the_level_in_proportion():
    book = Book()
    book.add("SELL", 100, 60)
    entry = resting(book, "SELL", 100, 5)
    book.add("SELL", 100, 40)
    assert book.reduce("SELL", 100, 50) == 50
    assert entry.ahead == 30
    assert book.anonymous_at("SELL", 100) == 50
    assert book.size_at("SELL", 100) == 55


def test_an_absolute_size_below_the_present_one_is_a_cancel_and_above_it_joins_the_back():
    book = Book()
    book.set_level("BUY", 100, 80)
    entry = resting(book, "BUY", 100, 5)
    book.set_level("BUY", 100, 40)
    assert entry.ahead == 40
    book.set_level("BUY", 100, 90)
    assert entry.ahead == 40
    assert book.size_at("BUY", 100) == 95
    book.set_level("BUY", 100, 0)
    assert entry.ahead == 0
    assert book.size_at("BUY", 100) == 5


def test_removing_an_order_leaves_the_size_around_it_in_place():
    book = Book()
    book.add("BUY", 100, 20)
    first = resting(book, "BUY", 100, 5, 1)
    book.add("BUY", 100, 30)
    second = resting(book, "BUY", 100, 5, 2)
    book.remove(first)
    assert second.ahead == 50
    book.remove(second)
    assert book.size_at("BUY", 100) == 50


def test_a_level_disappears_with_its_last_lot():
    book = Book()
    entry = resting(book, "BUY", 100, 5)
    book.remove(entry)
    book.add("BUY", 99, 5)
    book.reduce("BUY", 99, 9)
    assert book.best_bid() is None
    assert list(book.levels("BUY")) == []


def test_a_printed_trade_eats_the_front_and_then_reaches_the_order():
    book = Book()
    book.add("BUY", 100, 20)
    entry = resting(book, "BUY", 100, 10)
    assert book.consume_print("BUY", 100, 15) == []
    assert book.consume_print("BUY", 100, 8) == [(entry, 3)]


def test_a_printed_trade_reaches_better_priced_orders_first():
    book = Book()
    book.add("SELL", 100, 20)
    better = resting(book, "SELL", 98, 4)
    assert book.consume_print("SELL", 100, 10) == [(better, 4)]
    assert book.anonymous_at("SELL", 100) == 14


def test_changed_levels_are_reported_once_with_their_absolute_size():
    book = Book()
    book.add("BUY", 100, 5)
    book.add("BUY", 99, 5)
    book.add("SELL", 101, 7)
    assert book.take_changes() == ([(99, 5), (100, 5)], [(101, 7)])
    assert not book.has_changes()
    book.reduce("BUY", 100, 5)
    assert book.take_changes() == ([(100, 0)], [])


def test_a_limit_stops_the_taker():
    book = Book()
    book.add("SELL", 100, 5)
    book.add("SELL", 101, 5)
    fills: list[tuple[int, int]] = []
    assert book.take_anonymous("BUY", 20, 100, fills) == 15
    assert fills == [(100, 5)]


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_clearing_leaves_only_the_accounts_orders(side: str):
    book = Book()
    book.add(side, 100, 5)
    entry = resting(book, side, 100, 3)
    book.add(side, 99, 5)
    book.clear_anonymous()
    assert list(book.levels(side)) == [(100, 3)]
    assert entry.ahead == 0
