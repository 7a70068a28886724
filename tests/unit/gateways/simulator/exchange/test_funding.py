"""Mark price, funding rate and its settlement."""

from gateways.simulator.exchange import account_queries, history_queries
from gateways.simulator.exchange.accounts import mark_price
from tests.support.simulator_rig import NOW, SYMBOL, D, ExchangeRig

SEVEN_HOURS = 7 * 3_600_000


def test_funding_is_due_at_00_08_and_16():
    rig = ExchangeRig()
    assert rig.state.market(SYMBOL).facts.next_funding_ms == NOW + SEVEN_HOURS
    rig.advance(SEVEN_HOURS)
    assert rig.state.market(SYMBOL).facts.next_funding_ms == NOW + SEVEN_HOURS + 8 * 3_600_000


def test_longs_pay_a_positive_rate_to_shorts():
    rig = ExchangeRig()
    rig.fund_rate("0.0003")
    rig.market("BUY", "1")
    rig.market("SELL", "0.5", account="b")
    before = rig.wallet("a"), rig.wallet("b")
    rig.heard.events.clear()
    rig.advance(SEVEN_HOURS)
    assert rig.wallet("a") == before[0] - 15
    assert rig.wallet("b") == before[1] + D("7.5")
    owner, event = rig.heard.events[0]
    assert (owner, event.reason, event.symbol, event.positions) == ("a", "FUNDING_FEE", SYMBOL, ())
    assert event.balances[0].balance_change == -15
    row = history_queries.income(rig.state, "a", rig.now)[-1]
    assert (row.income_type, row.income, row.asset) == ("FUNDING_FEE", D(-15), "USDT")
    assert rig.state.market(SYMBOL).facts.last_funding_rate == D("0.0003")
    assert rig.state.market(SYMBOL).funding_history[-1].time_ms == NOW + SEVEN_HOURS


def test_a_negative_rate_turns_the_payment():
    rig = ExchangeRig()
    rig.fund_rate("-0.0001")
    rig.market("BUY", "1")
    before = rig.wallet()
    rig.advance(SEVEN_HOURS)
    assert rig.wallet() == before + 5


def test_isolated_funding_is_paid_from_the_positions_own_wallet():
    rig = ExchangeRig()
    rig.ex.set_margin_type("a", SYMBOL, "ISOLATED", rig.now)
    rig.fund_rate("0.0001")
    rig.market("BUY", "1")
    cross = account_queries.account_summary(rig.state, "a").total.cross_wallet_balance
    rig.heard.events.clear()
    rig.advance(SEVEN_HOURS)
    assert account_queries.account_summary(rig.state, "a").total.cross_wallet_balance == cross
    assert rig.heard.events[0][1].positions[0].isolated_wallet == D("2500.05") - 5


def test_every_period_of_a_leap_is_settled():
    rig = ExchangeRig()
    rig.fund_rate("0.0001")
    rig.market("BUY", "1")
    before = rig.wallet()
    rig.advance(3 * 86_400_000)
    assert rig.wallet() == before - 9 * 5


def test_without_a_premium_the_rate_is_the_interest():
    rig = ExchangeRig()
    assert mark_price.funding_rate(rig.state.market(SYMBOL)) == D("0.0001")


def test_a_premium_beyond_the_damper_moves_the_rate():
    rig = ExchangeRig()
    rig.ex.set_mark_price(SYMBOL, None, rig.now)
    rig.ex.set_index_price(SYMBOL, D(49900), rig.now)
    for _ in range(100):
        rig.advance(1_000)
    # The impact bid is 49,999, so P = 99 / 49900 = 0.0019840 and the rate P - 0.0005.
    assert abs(mark_price.funding_rate(rig.state.market(SYMBOL)) - (D(99) / 49900 - D("0.0005"))) < D(
        "0.00000001"
    )


def test_the_mark_price_is_the_median_of_three():
    rig = ExchangeRig()
    rig.take("BUY", 1)
    rig.ex.set_mark_price(SYMBOL, None, rig.now)
    rig.ex.set_index_price(SYMBOL, D(50000), rig.now)
    rig.advance(1_000)
    # Last trade 50,001; index + basis 50,000; index with funding 50,000 * (1 + 0.0001 * 6.9997 h / 8 h).
    left = D(SEVEN_HOURS - 1_000) / (8 * 3_600_000)
    assert abs(rig.state.market(SYMBOL).mark - min(50000 * (1 + D("0.0001") * left), D(50001))) < D("1e-7")
    rig.ex.set_index_price(SYMBOL, D(51000), rig.now)
    assert rig.state.market(SYMBOL).mark > 50900


def test_a_pinned_mark_price_stays():
    rig = ExchangeRig()
    rig.ex.set_index_price(SYMBOL, D(60000), rig.now)
    rig.advance(60_000)
    assert rig.state.market(SYMBOL).mark == 50000
