"""What the parts of the event-driven broker share: settings, position, pending orders, the current bar."""

from collections.abc import Callable
from math import nan

from engine.backtest.account import Account
from engine.backtest.broker_orders import ExitOrder, OcaType, PendingOrder
from engine.backtest.grid import floor_qty, snap
from engine.backtest.ledger import Ledger, Lot
from engine.backtest.settings import BrokerSettings


class Desk:
    """One symbol's state, and the arithmetic of prices and quantities on its grid."""

    __slots__ = (
        "account",
        "bar_index",
        "close",
        "exits",
        "is_inside",
        "ledger",
        "lived_high",
        "lived_low",
        "on_level",
        "on_opened",
        "orders",
        "seq",
        "settings",
        "step",
        "tick",
        "time_ns",
        "used_exits",
    )

    def __init__(self, symbol: str, settings: BrokerSettings, account: Account) -> None:
        self.account = account
        self.settings = settings
        self.tick = settings.market.tick
        self.step = settings.market.qty_step
        self.ledger = Ledger(symbol, settings.costs, settings.market, self.round_qty, account.trades)
        self.orders: dict[tuple[str, str], PendingOrder] = {}
        self.exits: dict[tuple[str, str], ExitOrder] = {}
        self.used_exits: set[tuple[str, int]] = set()
        self.seq = 0
        self.bar_index = -1
        self.time_ns = 0
        self.close = nan
        self.is_inside = False
        self.lived_high = self.lived_low = nan
        self.on_opened: Callable[[int, float], None] | None = None
        self.on_level: Callable[[str], None] | None = None

    def lived_from(self, price: float) -> None:
        """A position begins at `price`: inside a bar it has not seen what came before."""
        if self.is_inside:
            self.lived_high = self.lived_low = price

    def next_seq(self) -> int:
        """Orders at one price fill in the order they were issued."""
        self.seq += 1
        return self.seq

    def put(self, order: PendingOrder) -> None:
        """Make an order pending; it replaces the one of the same kind and id."""
        self.orders[order.kind, order.id] = order

    def settle_oca(self, name: str, kind: OcaType, qty: float) -> None:
        """An order of that group traded `qty`: cancel or reduce the others."""
        if not name or kind == "none":
            return
        for key, other in list(self.orders.items()):
            if other.oca_name != name:
                continue
            if kind == "cancel":
                del self.orders[key]
            else:
                other.qty = self.round_qty(other.qty - qty)
                if other.qty <= 0.0:
                    del self.orders[key]

    def drop_levels(self) -> None:
        """Remove every resting exit level."""
        for key in [key for key in self.orders if key[0] == "level"]:
            del self.orders[key]

    def pyramid_is_full(self) -> bool:
        """No further entry in the position's direction."""
        return len(self.ledger.lots) >= max(1, self.settings.pyramiding)

    def closing_rule(self, entry_id: str) -> Callable[[Lot], bool] | None:
        """Which lots an order that leaves `entry_id` may close; None is any, oldest first."""
        if self.settings.close_rule == "ANY" and entry_id:
            return lambda lot: lot.entry_id == entry_id
        return None

    def equity_at(self, price: float) -> float:
        """The account's equity with this symbol at `price`."""
        account = self.account
        return account.cash + account.open_profit_without(self) + self.ledger.open_profit(price)

    def default_qty(self, sign: int, price: float | None = None) -> float:
        """Default-sized quantity at `price`, or at the last close moved by slippage (pine_semantics 3.2)."""
        sizing, costs = self.settings.sizing, self.settings.costs
        if sizing.kind == "fixed":
            return floor_qty(sizing.value, self.step)
        at_close = price is None
        if price is None:
            price = self.close + sign * costs.slippage_ticks * self.tick
        per_unit = price * self.settings.market.point_value
        if sizing.kind == "cash":
            return floor_qty(sizing.value / per_unit, self.step)
        if sizing.kind == "percent_of_equity":
            equity = self.account.equity if at_close else self.equity_at(price)
            budget = equity * sizing.value / 100.0
            return floor_qty(budget / (per_unit * (1.0 + costs.taker_percent / 100.0)), self.step)
        raise ValueError("risk sizing needs a quantity with each entry: a script states its own")

    def slip(self, price: float, direction: int) -> float:
        """`price` moved against us, on the grid."""
        costs = self.settings.costs
        adverse = costs.slippage_ticks * self.tick + price * costs.slippage_bps / 10_000.0
        return snap(price + direction * adverse, self.tick)

    def round_qty(self, qty: float) -> float:
        """The float nearest to the grid quantity nearest to `qty`."""
        step = self.step
        steps = round(qty / step)
        per_unit = round(1.0 / step)
        if per_unit >= 1 and abs(per_unit * step - 1.0) < 1e-9:
            return steps / per_unit
        return steps * step
