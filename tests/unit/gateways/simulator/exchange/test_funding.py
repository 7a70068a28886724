"""Mark price, funding rate and its settlement."""

from gateways.simulator.exchange import account_queries, history_queries
from gateways.simulator.exchange.accounts import mark_price
from tests.support.simulator_rig import NOW, SYMBOL, D, Desk

SEVEN_HOURS = 7 * 3_600_000


def test_funding_is_due_at_00_08_and_16():
    desk = Desk()
    assert desk.state.market(SYMBOL).facts.next_funding_ms == NOW + SEVEN_HOURS
    desk.advance(SEVEN_HOURS)
    assert desk.state.market(SYMBOL).facts.next_funding_ms == NOW + SEVEN_HOURS + 8 * 3_600_000


def test_longs_pay_a_positive_rate_to_shorts():
    desk = Desk()
    desk.fund_rate("0.0003")
    desk.market("BUY", "1")
    desk.market("SELL", "0.5", account="b")
    before = desk.wallet("a"), desk.wallet("b")
    desk.heard.events.clear()
    desk.advance(SEVEN_HOURS)
    assert desk.wallet("a") == before[0] - 15
    assert desk.wallet("b") == before[1] + D("7.5")
    owner, event = desk.heard.events[0]
    assert (owner, event.reason, event.symbol, event.positions) == ("a", "FUNDING_FEE", SYMBOL, ())
    assert event.balances[0].balance_change == -15
    row = history_queries.income(desk.state, "a", desk.now)[-1]
    assert (row.income_type, row.income, row.asset) == ("FUNDING_FEE", D(-15), "USDT")
    assert desk.state.market(SYMBOL).facts.last_funding_rate == D("0.0003")
    assert desk.state.market(SYMBOL).funding_history[-1].time_ms == NOW + SEVEN_HOURS


def test_a_negative_rate_turns_the_payment():
    desk = Desk()
    desk.fund_rate("-0.0001")
    desk.market("BUY", "1")
    before = desk.wallet()
    desk.advance(SEVEN_HOURS)
    assert desk.wallet() == before + 5


def test_isolated_funding_is_paid_from_the_positions_own_wallet():
    desk = Desk()
    desk.ex.set_margin_type("a", SYMBOL, "ISOLATED", desk.now)
    desk.fund_rate("0.0001")
    desk.market("BUY", "1")
    cross = account_queries.account_summary(desk.state, "a").total.cross_wallet_balance
    desk.heard.events.clear()
    desk.advance(SEVEN_HOURS)
    assert account_queries.account_summary(desk.state, "a").total.cross_wallet_balance == cross
    assert desk.heard.events[0][1].positions[0].isolated_wallet == D("2500.05") - 5


def test_every_period_of_a_leap_is_settled():
    desk = Desk()
    desk.fund_rate("0.0001")
    desk.market("BUY", "1")
    before = desk.wallet()
    desk.advance(3 * 86_400_000)
    assert desk.wallet() == before - 9 * 5


def test_without_a_premium_the_rate_is_the_interest():
    desk = Desk()
    assert mark_price.funding_rate(desk.state.market(SYMBOL)) == D("0.0001")


def test_a_premium_beyond_the_damper_moves_the_rate():
    desk = Desk()
    desk.ex.set_mark_price(SYMBOL, None, desk.now)
    desk.ex.set_index_price(SYMBOL, D(49900), desk.now)
    for _ in range(100):
        desk.advance(1_000)
    # The impact bid is 49,999, so P = 99 / 49900 = 0.0019840 and the rate P - 0.0005.
    assert abs(mark_price.funding_rate(desk.state.market(SYMBOL)) - (D(99) / 49900 - D("0.0005"))) < D(
        "0.00000001"
    )


def test_the_mark_price_is_the_median_of_three():
    desk = Desk()
    desk.take("BUY", 1)
    desk.ex.set_mark_price(SYMBOL, None, desk.now)
    desk.ex.set_index_price(SYMBOL, D(50000), desk.now)
    desk.advance(1_000)
    # Last trade 50,001; index + basis 50,000; index with funding 50,000 * (1 + 0.0001 * 6.9997 h / 8 h).
    left = D(SEVEN_HOURS - 1_000) / (8 * 3_600_000)
    assert abs(desk.state.market(SYMBOL).mark - min(50000 * (1 + D("0.0001") * left), D(50001))) < D("1e-7")
    desk.ex.set_index_price(SYMBOL, D(51000), desk.now)
    assert desk.state.market(SYMBOL).mark > 50900


def test_a_pinned_mark_price_stays():
    desk = Desk()
    desk.ex.set_index_price(SYMBOL, D(60000), desk.now)
    desk.advance(60_000)
    assert desk.state.market(SYMBOL).mark == 50000
