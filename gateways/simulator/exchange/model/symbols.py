"""Symbol specifications: price and quantity grid, filters, fees and leverage brackets.

`SymbolSpec` is the single source of the numbers that exchangeInfo, leverageBracket and commissionRate
return and that the order rules enforce. Inside the exchange a price is an integer number of ticks and a
quantity an integer number of lots; the conversions are here.
"""

from dataclasses import dataclass, field
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

ORDER_TYPES = (
    "LIMIT",
    "MARKET",
    "STOP",
    "STOP_MARKET",
    "TAKE_PROFIT",
    "TAKE_PROFIT_MARKET",
    "TRAILING_STOP_MARKET",
)
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "GTX", "GTD")


@dataclass(frozen=True, slots=True)
class Bracket:
    """One leverage bracket: positions with `floor < notional <= cap` (quote).

    `cum` is computed from the previous rows: `cum_n = cum_{n-1} + floor_n * (mmr_n - mmr_{n-1})`.
    """

    bracket: int
    initial_leverage: int
    notional_cap: Decimal
    notional_floor: Decimal
    maint_margin_ratio: Decimal
    cum: Decimal


def make_brackets(rows: list[tuple[int, int, str]]) -> tuple[Bracket, ...]:
    """Build brackets from rows of (initial leverage, notional cap, maintenance margin ratio)."""
    brackets: list[Bracket] = []
    floor = cum = Decimal(0)
    previous_ratio = Decimal(rows[0][2])
    for number, (leverage, cap, ratio_text) in enumerate(rows, start=1):
        ratio = Decimal(ratio_text)
        cum += floor * (ratio - previous_ratio)
        brackets.append(Bracket(number, leverage, Decimal(cap), floor, ratio, cum))
        floor, previous_ratio = Decimal(cap), ratio
    return tuple(brackets)


@dataclass(frozen=True, slots=True)
class SymbolSpec:
    """Specification of one USD-M perpetual. Decimals are in quote or base as named."""

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    step_size: Decimal
    price_precision: int
    quantity_precision: int
    min_price: Decimal
    max_price: Decimal
    min_qty: Decimal
    max_qty: Decimal
    market_min_qty: Decimal
    market_max_qty: Decimal
    min_notional: Decimal
    brackets: tuple[Bracket, ...]
    multiplier_up: Decimal = Decimal("1.0500")
    multiplier_down: Decimal = Decimal("0.9500")
    max_num_orders: int = 200
    trigger_protect: Decimal = Decimal("0.0500")
    liquidation_fee: Decimal = Decimal("0.012500")
    market_take_bound: Decimal = Decimal("0.05")
    max_move_order_limit: int = 10_000
    maint_margin_percent: Decimal = Decimal("2.5000")
    required_margin_percent: Decimal = Decimal("5.0000")
    maker_fee: Decimal = Decimal("0.000200")
    taker_fee: Decimal = Decimal("0.000500")
    position_control_side: str = "NONE"
    status: str = "TRADING"
    contract_type: str = "PERPETUAL"
    onboard_date_ms: int = 1_569_398_400_000
    delivery_date_ms: int = 4_133_404_800_000
    underlying_sub_type: tuple[str, ...] = ()
    funding_interval_ms: int = 8 * 3_600_000
    funding_cap: Decimal = Decimal("0.0200")
    reference_price: Decimal = Decimal(0)
    """A plausible price for a market without any history."""
    coarse_tick: Decimal | None = None
    """Tick that new orders must keep, a multiple of `tick_size`, when a command has made it coarser."""
    coarse_step: Decimal | None = None
    """The same for quantities: a multiple of `step_size`."""
    price_decimals: int = field(init=False)
    """Decimals of the tick, used for prices in REST responses."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "price_decimals", _decimals(self.tick_size))

    def price_to_ticks(self, price: Decimal) -> int:
        """Convert a price to ticks; ValueError when it is off the grid."""
        ticks = price / self.tick_size
        if ticks != int(ticks):
            raise ValueError(f"{self.symbol}: price {price} is not a multiple of {self.tick_size}")
        return int(ticks)

    def price_to_ticks_floor(self, price: Decimal) -> int:
        """Return the largest tick at or below `price`."""
        return int((price / self.tick_size).to_integral_value(ROUND_FLOOR))

    def price_to_ticks_ceiling(self, price: Decimal) -> int:
        """Return the smallest tick at or above `price`."""
        return int((price / self.tick_size).to_integral_value(ROUND_CEILING))

    def ticks_to_price(self, ticks: int) -> Decimal:
        """Return the exact price of a tick."""
        return ticks * self.tick_size

    def qty_to_lots(self, qty: Decimal) -> int:
        """Convert a base quantity to lots; ValueError when it is off the grid."""
        lots = qty / self.step_size
        if lots != int(lots):
            raise ValueError(f"{self.symbol}: quantity {qty} is not a multiple of {self.step_size}")
        return int(lots)

    def lots_to_qty(self, lots: int) -> Decimal:
        """Return the exact base quantity of a number of lots."""
        return lots * self.step_size

    def notional(self, ticks: int, lots: int) -> Decimal:
        """Return price times quantity, exact, in quote."""
        return ticks * lots * (self.tick_size * self.step_size)

    def bracket_for(self, notional: Decimal) -> Bracket:
        """Return the bracket a position of this notional (quote, non-negative) falls in."""
        for bracket in self.brackets:
            if notional <= bracket.notional_cap:
                return bracket
        return self.brackets[-1]

    @property
    def order_tick(self) -> Decimal:
        """Return the tick that new orders must keep, as in exchangeInfo; the book counts in `tick_size`."""
        return self.coarse_tick or self.tick_size

    @property
    def order_step(self) -> Decimal:
        """Return the step that quantities of new orders must keep; the book counts in `step_size`."""
        return self.coarse_step or self.step_size

    @property
    def is_trading(self) -> bool:
        """Tell whether orders are accepted and matched."""
        return self.status == "TRADING"

    @property
    def max_leverage(self) -> int:
        """Return the leverage of the first bracket."""
        return self.brackets[0].initial_leverage

    def max_notional(self, leverage: int) -> Decimal:
        """Return the largest position notional (quote) the leverage allows."""
        allowed = [b.notional_cap for b in self.brackets if b.initial_leverage >= leverage]
        return allowed[-1] if allowed else Decimal(0)


def _decimals(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -int(exponent))


_BTC_BRACKETS = [
    (125, 300_000, "0.004"),
    (100, 800_000, "0.005"),
    (75, 3_000_000, "0.0065"),
    (50, 12_000_000, "0.01"),
    (25, 70_000_000, "0.02"),
    (20, 100_000_000, "0.025"),
    (10, 230_000_000, "0.05"),
    (5, 480_000_000, "0.1"),
    (4, 600_000_000, "0.125"),
    (3, 800_000_000, "0.15"),
    (2, 1_200_000_000, "0.25"),
    (1, 1_800_000_000, "0.5"),
]
_ETH_BRACKETS = [
    (125, 300_000, "0.004"),
    (100, 800_000, "0.005"),
    (75, 3_000_000, "0.0065"),
    (50, 12_000_000, "0.01"),
    (25, 50_000_000, "0.02"),
    (20, 65_000_000, "0.025"),
    (10, 150_000_000, "0.05"),
    (5, 320_000_000, "0.1"),
    (4, 400_000_000, "0.125"),
    (3, 530_000_000, "0.15"),
    (2, 800_000_000, "0.25"),
    (1, 1_200_000_000, "0.5"),
]
_SMALL_BRACKETS = [
    (75, 80_000, "0.0065"),
    (50, 150_000, "0.01"),
    (40, 750_000, "0.0125"),
    (25, 2_000_000, "0.02"),
    (20, 4_000_000, "0.025"),
    (10, 20_000_000, "0.05"),
    (5, 40_000_000, "0.1"),
    (4, 50_000_000, "0.125"),
    (2, 100_000_000, "0.25"),
    (1, 200_000_000, "0.5"),
]


def _spec(
    base: str,
    tick: str,
    step: str,
    precision: tuple[int, int],
    prices: tuple[str, str],
    max_qty: tuple[str, str],
    min_notional: str,
    reference: str,
    brackets: list[tuple[int, int, str]],
    sub_type: tuple[str, ...] = (),
    trigger_protect: str = "0.0500",
) -> SymbolSpec:
    return SymbolSpec(
        symbol=f"{base}USDT",
        base=base,
        quote="USDT",
        tick_size=Decimal(tick),
        step_size=Decimal(step),
        price_precision=precision[0],
        quantity_precision=precision[1],
        min_price=Decimal(prices[0]),
        max_price=Decimal(prices[1]),
        min_qty=Decimal(step),
        max_qty=Decimal(max_qty[0]),
        market_min_qty=Decimal(step),
        market_max_qty=Decimal(max_qty[1]),
        min_notional=Decimal(min_notional),
        brackets=make_brackets(brackets),
        reference_price=Decimal(reference),
        underlying_sub_type=sub_type,
        trigger_protect=Decimal(trigger_protect),
    )


def default_symbols() -> dict[str, SymbolSpec]:
    """Return the built-in symbols by name, with values of the size the live exchange has."""
    pair = (2, 3)
    specs = (
        _spec(
            "BTC", "0.10", "0.001", pair, ("556.80", "4529764"), ("1000", "120"), "50", "64000",
            _BTC_BRACKETS, ("PoW",),
        ),
        _spec(
            "ETH", "0.01", "0.001", pair, ("39.86", "306177"), ("10000", "2000"), "20", "3425",
            _ETH_BRACKETS, ("Layer-1",),
        ),
        _spec(
            "SOL", "0.0100", "0.01", (4, 2), ("0.4200", "6857"), ("1000000", "50000"), "5", "160",
            _SMALL_BRACKETS, ("Layer-1",),
        ),
        _spec(
            "BNB", "0.010", "0.01", (3, 2), ("6.600", "100000"), ("10000", "2000"), "5", "580",
            _SMALL_BRACKETS, ("Layer-1",),
        ),
        _spec(
            "XRP", "0.0001", "0.1", (4, 1), ("0.0143", "100000"), ("10000000", "1000000"), "5", "0.6000",
            _SMALL_BRACKETS, ("Payment",),
        ),
        _spec(
            "DOGE", "0.000010", "1", (6, 0), ("0.002440", "30"), ("50000000", "30000000"), "5", "0.125000",
            _SMALL_BRACKETS, ("Meme",),
        ),
    )  # fmt: skip
    return {spec.symbol: spec for spec in specs}
