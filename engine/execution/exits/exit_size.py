"""Sizes of exits on the exchange's present grid, and what is too little for any order."""

from decimal import ROUND_CEILING, Decimal

import msgspec

from engine.account.attribution import OPERATOR
from engine.account.state import AccountStateStore
from engine.execution.sending.holdings import Holdings
from engine.execution.sending.order_gate import OrderGate
from engine.model.context import Outbox
from engine.model.lots import plain, quantity_down
from engine.model.records import Intent
from gateways.wire.messages import Instrument, Side

ZERO = Decimal(0)


class ExitSize(msgspec.Struct, frozen=True):
    """`qty_base` to send now (0: no order can leave it), `rest_base` to follow, `dust_base` below what the
    exchange takes."""

    qty_base: Decimal
    rest_base: Decimal = ZERO
    dust_base: Decimal = ZERO


def exit_size(whole: Decimal, instrument: Instrument | None, *, is_cut: bool) -> ExitSize:
    """One order that leaves `whole`, or as much of it as the exchange takes at once.

    `is_cut`: the exchange cuts a reduce-only order down to the position, so a quantity between two steps, or
    below the smallest order, may be rounded up. Without it the part off the grid is dust.
    """
    if instrument is None:
        return ExitSize(whole)
    step = instrument.qty_step_base
    least = max(instrument.min_qty_base, step)
    largest = quantity_down(instrument.market_max_qty_base or instrument.max_qty_base or whole, step)
    if largest and whole > largest:
        return ExitSize(largest, rest_base=whole - largest)
    down = quantity_down(whole, step)
    if down == whole and whole >= least:
        return ExitSize(whole)
    if is_cut:
        return ExitSize(quantity_up(whole, instrument))
    return ExitSize(down, dust_base=whole - down) if down >= least else ExitSize(ZERO, dust_base=whole)


def quantity_up(qty_base: Decimal, instrument: Instrument) -> Decimal:
    """The smallest order that is not below `qty_base`."""
    step = instrument.qty_step_base
    up = (qty_base / step).to_integral_value(rounding=ROUND_CEILING) * step
    return max(up, instrument.min_qty_base)


class ExitSizer:
    """Remembers what was told as dust: once for each remainder and grid."""

    def __init__(self, out: Outbox, gate: OrderGate, account: AccountStateStore, holdings: Holdings) -> None:
        self._out = out
        self._gate = gate
        self._account = account
        self._holdings = holdings
        self._dust: dict[tuple[str, str], tuple[Decimal, Instrument | None]] = {}

    def is_dust(self, owner: str, symbol: str) -> bool:
        """Whether what the owner holds is what is left that no order can leave."""
        told = self._dust.get((owner, symbol))
        if told is None:
            return False
        return told == (self._holdings.held(owner, symbol), self._gate.instruments.get(symbol))

    def sized(self, intent: Intent, whole: Decimal, *, is_exact: bool) -> Intent:
        """The exit with the size that leaves `whole`, or as much of it as one order can; 0: it is dust.

        `is_exact`: the exchange does not cut an order down to the position.
        """
        owner, symbol, side = intent.strategy, intent.symbol, intent.side
        net = self._account.position(symbol).qty_base
        # What is rounded up may take nothing from anybody else who holds the symbol.
        is_cut = not is_exact and abs(net) == whole
        size = exit_size(whole, self._gate.instruments.get(symbol), is_cut=is_cut)
        if size.dust_base:
            self._tell_dust(owner, symbol, size.dust_base)
        reduces = owner == OPERATOR or self._reduces_net(symbol, side, min(size.qty_base, whole))
        return msgspec.structs.replace(
            intent, qty_base=size.qty_base, rest_base=size.rest_base, reduce_only=reduces
        )

    def _reduces_net(self, symbol: str, side: Side, qty: Decimal) -> bool:
        """Reduce-only always, but where strategies share a symbol and the sum points elsewhere."""
        if not self._holdings.is_shared(symbol):
            return True
        net = self._account.position(symbol).qty_base
        return (net >= qty) if side == "SELL" else (-net >= qty)

    def _tell_dust(self, owner: str, symbol: str, dust_base: Decimal) -> None:
        held, instrument = self._holdings.held(owner, symbol), self._gate.instruments.get(symbol)
        left = held if abs(held) == dust_base else (dust_base if held > ZERO else -dust_base)
        if self._dust.get((owner, symbol)) != (left, instrument):
            self._dust[owner, symbol] = (left, instrument)
            text = f"{plain(dust_base)} of {symbol} is dust: the exchange takes no order that leaves it"
            self._out.notice("warning", f"{owner}: {text}")
