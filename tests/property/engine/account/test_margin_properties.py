from decimal import Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from engine.account.margin import liquidation_price, maintenance_of
from gateways.wire.messages import Bracket

D = Decimal

money = st.decimals(D("0.01"), D(5_000_000), places=2)
quantities = st.decimals(D("0.001"), D(500), places=3)


@st.composite
def bracket_tables(draw: st.DrawFn) -> tuple[Bracket, ...]:
    """Brackets as exchanges make them: growing ratios, cum_n = cum_{n-1} + floor_n x (ratio step)."""
    caps = sorted(draw(st.sets(st.integers(1_000, 10_000_000), min_size=1, max_size=6)))
    ratios = sorted(draw(st.sets(st.integers(1, 500), min_size=len(caps), max_size=len(caps))))
    floor, cum, last, table = D(0), D(0), D(0), []
    for cap, thousandths in zip(caps, ratios, strict=True):
        ratio = D(thousandths) / 1000
        cum += floor * (ratio - last)
        table.append(Bracket(floor, D(cap), 10, ratio, cum))
        floor, last = D(cap), ratio
    return tuple(table)


@given(bracket_tables(), quantities, st.sampled_from([1, -1]), money, money)
def test_at_the_liquidation_price_maintenance_equals_the_margin_balance(
    brackets: tuple[Bracket, ...], size: Decimal, side: int, entry: Decimal, backing: Decimal
):
    qty = size * side
    price = liquidation_price(brackets, qty, entry, backing)
    assume(price > 0)
    maintenance = maintenance_of(brackets, size * price)
    balance = backing + qty * (price - entry)
    assert abs(maintenance - balance) <= D("1e-15") * (size * price + size * entry + backing)


@given(
    bracket_tables(),
    quantities,
    st.sampled_from([1, -1]),
    money,
    money,
    st.decimals(D("0.001"), D(3), places=3),
)
def test_it_parts_safe_prices_from_liquidated_ones(
    brackets: tuple[Bracket, ...],
    size: Decimal,
    side: int,
    entry: Decimal,
    backing: Decimal,
    factor: Decimal,
):
    qty = size * side
    limit = liquidation_price(brackets, qty, entry, backing)
    price = entry * factor
    assume(price > 0 and abs(price - limit) > D("1e-12") * (price + limit))
    is_safe = backing + qty * (price - entry) > maintenance_of(brackets, size * price)
    assert is_safe == ((price > limit) if side > 0 else (price < limit))


@given(bracket_tables(), st.decimals(D(0), D(20_000_000), places=2), st.decimals(D(0), D(1_000), places=2))
def test_maintenance_grows_with_the_notional_and_never_jumps(
    brackets: tuple[Bracket, ...], notional: Decimal, step: Decimal
):
    low, high = maintenance_of(brackets, notional), maintenance_of(brackets, notional + step)
    assert 0 <= low <= high <= low + step * brackets[-1].maintenance_ratio
