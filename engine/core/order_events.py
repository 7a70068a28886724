"""What the core does when the exchange says something about orders, positions, the account or a symbol."""

from engine.account.margin_watch import MarginWatch
from engine.core.parts import Parts
from engine.core.size_check import SizeCheck
from engine.model.audit import PositionChanged
from engine.model.lots import decimal_of
from engine.model.records import AccountReport
from engine.orders.order_store import Applied
from gateways.wire import messages as wire


class OrderEvents:
    """Handlers of what the exchange says about us. `rejects` counts the orders it refused in this run.

    Made before all other parts: those that find something out are given `on_applied`, `on_doubt` or
    `on_reconciled` to call.
    """

    def __init__(self, engine: Parts, margin: MarginWatch) -> None:
        self._engine = engine
        self._margin = margin
        self._sizes = SizeCheck(engine)
        self.rejects = 0

    def on_applied(self, applied: Applied) -> None:
        """The exchange said something new about an order: a fill counts first, then whoever waits for it."""
        engine, order, fill = self._engine, applied.order, applied.fill
        if fill is not None:
            engine.out.append(fill)
            engine.account.on_fill(fill)
            engine.account_reporter.note_day()
            engine.recovery.last_fill_ns = max(engine.recovery.last_fill_ns, fill.time_ns)
            self._tell_position(fill.symbol)
        engine.account_reporter.on_applied(applied)
        refused = engine.risk.on_applied(applied, engine.clock.now_ns)
        if refused:
            engine.out.notice("warning", refused)
        self.rejects += applied.is_rejection
        if applied.contradiction:
            text = f"order {order.client_order_id} was recorded as refused, but exists at the exchange"
            engine.out.notice("critical", text)
        if order.evidence.missing_base and applied.update is not None:
            engine.recovery.on_missing_fill(applied)
        engine.lost.on_applied(applied)
        engine.recovery.watch_position()
        engine.stop_check.on_applied(applied)
        engine.trades.on_applied(applied)
        if fill is not None:
            engine.ownership.settle(fill.symbol)

    def on_reconciled(self) -> None:
        """The exchange and we agree: strategies may begin, stops that are missing are placed."""
        engine = self._engine
        for symbol in engine.config.symbols:
            engine.ownership.settle(symbol)
        engine.ownership.tell_left_behind()
        engine.strategies.start()
        engine.trades.on_reconciled()
        engine.ownership.leave_as_told()
        engine.stop_check.on_reconciled()
        engine.comparison.on_reconciled()

    def on_doubt(self, why: str) -> None:
        """Our view and the exchange's do not fit: compare again."""
        if self._engine.health.connected:
            self._engine.recovery.begin(why)

    def on_reply(self, reply: wire.Reply) -> None:
        """The gateway's answer to a request; who sent it knows its number."""
        self._engine.orders.on_reply(reply)
        self._engine.recovery.on_reply(reply)
        self._engine.leverages.on_reply(reply)

    def on_account(self, update: wire.AccountUpdate) -> None:
        """Balances and positions have changed at the exchange."""
        engine = self._engine
        engine.out.append(AccountReport(update, engine.clock.now_ns))
        engine.account.on_account_update(update)
        engine.health.on_positions(update.positions)
        engine.account_reporter.note_day()
        engine.account_reporter.on_account(update)
        engine.recovery.watch_position()

    def on_snapshot(self, snapshot: wire.Snapshot) -> None:
        """The exchange's whole truth, asked for by recovery or by the regular comparison."""
        engine = self._engine
        for instrument in snapshot.instruments:
            self.on_instrument(instrument, snapshot.request_id)
        engine.health.on_positions(snapshot.positions)
        engine.recovery.on_snapshot(snapshot)
        engine.comparison.on_snapshot(snapshot)

    def on_mark(self, mark: wire.MarkPrice) -> None:
        """A mark price: what positions are worth, and how near liquidation is."""
        engine = self._engine
        engine.account.on_mark(mark)
        engine.markets[mark.symbol].mark_time_ns = mark.receive_time_ns
        engine.account_reporter.note_day()
        self._margin.look()
        if engine.health.reconciled:
            engine.account_reporter.note_equity()
            self._sizes.on_mark(mark)

    def on_instrument(self, instrument: wire.Instrument, snapshot_id: int = 0) -> None:
        """Filters, fees and leverage of a symbol; what rests is put on a new grid."""
        engine = self._engine
        known = engine.health.instruments.get(instrument.symbol)
        engine.health.instruments[instrument.symbol] = instrument
        self._margin.on_instrument(instrument)
        engine.leverages.on_instrument(instrument, snapshot_id)
        if known is not None and known != instrument:
            engine.trades.on_rules_changed(instrument.symbol)

    def _tell_position(self, symbol: str) -> None:
        engine = self._engine
        position = engine.account.position(symbol)
        market = engine.markets.get(symbol)  # none of a symbol that was traded once
        mark = engine.account.mark(symbol) or (decimal_of(market.mid) if market else position.entry_price)
        engine.out.notify(
            PositionChanged(
                engine.clock.now_ns,
                symbol,
                position.qty_base,
                position.entry_price,
                position.realised_pnl,
                position.unrealised(mark),
                position.fees,
                self._margin.liquidation_price(symbol),
            )
        )
