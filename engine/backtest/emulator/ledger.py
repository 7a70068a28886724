"""Lots, trades and money of one symbol in the event-driven engine."""

from collections.abc import Callable

from engine.model.broker_settings import Costs, Market
from engine.model.trades import Trade


class Lot:
    """An open entry, or what is left of it. `best` and `worst` are the extreme prices it lived through."""

    __slots__ = (
        "best",
        "commission",
        "direction",
        "entry_bar",
        "entry_id",
        "entry_price",
        "entry_time_ns",
        "funding",
        "qty",
        "seq",
        "signal",
        "worst",
    )

    def __init__(
        self,
        seq: int,
        entry_id: str,
        signal: str,
        direction: int,
        qty: float,
        price: float,
        bar: int,
        time_ns: int,
        commission: float,
    ) -> None:
        self.seq = seq
        self.entry_id = entry_id
        self.signal = signal
        self.direction = direction
        self.qty = qty
        self.entry_price = price
        self.entry_bar = bar
        self.entry_time_ns = time_ns
        self.commission = commission
        self.funding = 0.0
        self.best = price
        self.worst = price

    @property
    def size(self) -> float:
        """Signed quantity."""
        return self.direction * self.qty

    @property
    def entry_bar_index(self) -> int:
        """Bar of the entry fill (Pine's name)."""
        return self.entry_bar

    def mark(self, price: float) -> None:
        """Record a price reached while the lot was open."""
        if self.direction * (price - self.best) > 0:
            self.best = price
        elif self.direction * (price - self.worst) < 0:
            self.worst = price

    def mark_range(self, high: float, low: float) -> None:
        """Record the highest and the lowest of the prices that came while the lot was open."""
        if self.direction < 0:
            high, low = low, high
        if self.direction * (high - self.best) > 0:
            self.best = high
        if self.direction * (low - self.worst) < 0:
            self.worst = low


class Ledger:
    """Open lots oldest first, closed trades, and the money they made.

    Sums are loops: Python's own `sum` rounds differently from version to version, the kernel never does.
    Quantities stay on the grid through `round_qty`. `trades` may be shared by the symbols of an account,
    `closed` are this symbol's.
    `realised` is gross; `commission_paid` was taken from the account, `funding_paid` is signed: what
    funding added to it.
    """

    __slots__ = (
        "_costs",
        "_market",
        "_next_seq",
        "_round_qty",
        "_symbol",
        "closed",
        "commission_paid",
        "funding_paid",
        "lots",
        "position_size",
        "realised",
        "trades",
    )

    def __init__(
        self,
        symbol: str,
        costs: Costs,
        market: Market,
        round_qty: Callable[[float], float],
        trades: list[Trade],
    ) -> None:
        self._symbol = symbol
        self._costs = costs
        self._market = market
        self._round_qty = round_qty
        self._next_seq = 0
        self.lots: list[Lot] = []
        self.trades = trades
        self.closed: list[Trade] = []
        self.position_size = 0.0
        self.realised = 0.0
        self.commission_paid = 0.0
        self.funding_paid = 0.0

    @property
    def average_price(self) -> float:
        """Quantity-weighted entry price of the open lots, nan while flat."""
        if not self.lots:
            return float("nan")
        if len(self.lots) == 1:
            return self.lots[0].entry_price
        paid = qty = 0.0
        for lot in self.lots:
            paid += lot.qty * lot.entry_price
            qty += lot.qty
        return paid / qty

    @property
    def closed_count(self) -> int:
        """Number of closed trades."""
        return len(self.closed)

    @property
    def net_profit(self) -> float:
        """Profit of what was closed, every commission paid so far, and funding."""
        return self.realised - self.commission_paid + self.funding_paid

    def open_profit(self, price: float) -> float:
        """Gross profit of the open lots marked at `price`, in account currency."""
        point_value = self._market.point_value
        profit = 0.0
        for lot in self.lots:
            profit += lot.direction * lot.qty * (price - lot.entry_price) * point_value
        return profit

    def mark(self, price: float) -> None:
        """Record for every lot that price reached this node of the path."""
        for lot in self.lots:
            lot.mark(price)

    def mark_range(self, high: float, low: float) -> None:
        """Record for every lot that prices from `low` to `high` came while it was open."""
        for lot in self.lots:
            lot.mark_range(high, low)

    def commission(self, qty: float, price: float, *, maker: bool, share: float) -> float:
        """Commission of `qty` at `price`; `share` is this part's share of its order (flat fees)."""
        costs = self._costs
        percent = costs.taker_percent
        if maker and costs.maker_percent is not None:
            percent = costs.maker_percent
        return (
            price * qty * self._market.point_value * percent / 100.0
            + costs.cash_per_contract * qty
            + costs.cash_per_order * share
        )

    def pay_funding(self, price: float, rate: float) -> None:
        """Charge every lot `size * price * rate`; longs pay when the rate is positive."""
        for lot in self.lots:
            amount = -lot.size * price * self._market.point_value * rate
            lot.funding += amount
            self.funding_paid += amount

    def open(
        self,
        entry_id: str,
        signal: str,
        direction: int,
        qty: float,
        price: float,
        bar: int,
        time_ns: int,
        *,
        maker: bool,
        share: float,
    ) -> Lot:
        """Open a lot and pay its commission."""
        commission = self.commission(qty, price, maker=maker, share=share)
        lot = Lot(self._next_seq, entry_id, signal, direction, qty, price, bar, time_ns, commission)
        self._next_seq += 1
        self.lots.append(lot)
        self.commission_paid += commission
        self.position_size = self._round_qty(self.position_size + direction * qty)
        return lot

    def close(
        self,
        qty: float,
        price: float,
        signal: str,
        bar: int,
        time_ns: int,
        *,
        only: Callable[[Lot], bool] | None,
        maker: bool,
        order_qty: float,
        newest_first: bool = False,
    ) -> float:
        """Close up to `qty`, oldest lot first (only those `only` accepts); returns the quantity closed."""
        left = qty
        lots = self.lots[:] if only is None else [lot for lot in self.lots if only(lot)]
        for lot in reversed(lots) if newest_first else lots:
            if left <= 0.0:
                break
            part = min(left, lot.qty)
            self._close_part(lot, part, price, signal, bar, time_ns, maker=maker, share=part / order_qty)
            left = 0.0 if part == left else self._round_qty(left - part)
        return self._round_qty(qty - left)

    def marked(self, lot: Lot, price: float, time_ns: int) -> Trade:
        """An open lot as a trade: marked at `price`, nothing paid for leaving."""
        value = lot.size * self._market.point_value
        gross = value * (price - lot.entry_price)
        return Trade(
            symbol=self._symbol,
            direction=lot.direction,
            qty=lot.qty,
            entry_bar=lot.entry_bar,
            entry_time_ns=lot.entry_time_ns,
            entry_price=lot.entry_price,
            entry_signal=lot.signal,
            exit_bar=-1,
            exit_time_ns=time_ns,
            exit_price=price,
            exit_signal="",
            entry_commission=lot.commission,
            exit_commission=0.0,
            pnl=gross - lot.commission + lot.funding,
            run_up=max(0.0, value * (lot.best - lot.entry_price) - lot.commission),
            drawdown=min(0.0, value * (lot.worst - lot.entry_price) - lot.commission),
            funding=lot.funding,
        )

    def _close_part(
        self,
        lot: Lot,
        qty: float,
        price: float,
        signal: str,
        bar: int,
        time_ns: int,
        *,
        maker: bool,
        share: float,
    ) -> None:
        whole = qty >= lot.qty
        entry_commission = lot.commission if whole else lot.commission * (qty / lot.qty)
        funding = lot.funding if whole else lot.funding * (qty / lot.qty)
        exit_commission = self.commission(qty, price, maker=maker, share=share)
        value = lot.direction * qty * self._market.point_value
        gross = value * (price - lot.entry_price)
        lot.mark(price)
        run_up = value * (lot.best - lot.entry_price) - entry_commission
        drawdown = value * (lot.worst - lot.entry_price) - entry_commission
        trade = Trade(  # by position: names cost seven times as much
            self._symbol,
            lot.direction,
            qty,
            lot.entry_bar,
            lot.entry_time_ns,
            lot.entry_price,
            lot.signal,
            bar,
            time_ns,
            price,
            signal,
            entry_commission,
            exit_commission,
            gross - entry_commission - exit_commission + funding,
            max(0.0, run_up),
            min(0.0, drawdown),
            funding,
        )
        self.trades.append(trade)
        self.closed.append(trade)
        self.realised += gross
        self.commission_paid += exit_commission
        size = self.position_size - lot.direction * qty
        self.position_size = self._round_qty(size) if size else 0.0
        if whole:
            self.lots.remove(lot)
        else:
            lot.qty = self._round_qty(lot.qty - qty)
            lot.commission -= entry_commission
            lot.funding -= funding
