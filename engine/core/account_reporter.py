"""Reports what the exchange does to the account by itself (liquidations, clearance fees, fees in other
assets), and records its days and its equity."""

from engine.account.state import MAKER_FEE, TAKER_FEE, AccountStateStore
from engine.model.audit import Severity
from engine.model.context import Outbox
from engine.model.lots import plain
from engine.model.records import EquityMark
from engine.orders.order_states import TERMINAL
from engine.orders.order_store import Applied, Order
from gateways.wire.messages import AccountUpdate
from gateways.wire.words import AccountChange, ForcedClose
from runtime.control.shown import ShowPrice

EQUITY_EVERY_NS = 60_000_000_000
_FORCED = {
    ForcedClose.LIQUIDATION: "liquidation: the exchange has closed {what}",
    ForcedClose.DELEVERAGING: (
        "auto-deleveraging: the exchange has closed {what} to settle somebody else's loss"
    ),
    ForcedClose.SETTLEMENT: "settlement: the exchange has closed {what} because the contract ends",
    ForcedClose.DELIVERY: "delivery: the exchange has closed {what} because the contract ends",
}


def forced_close(order: Order, forced: ForcedClose, price: ShowPrice) -> str:
    """What the exchange's own order has done to a position, as a sentence ("": it is no such order)."""
    if not forced or not order.is_external:
        return ""
    verb = "sold" if order.intent.side == "SELL" else "bought"
    what = f"{plain(order.filled_base)} {order.intent.symbol}"
    average = price(order.intent.symbol, order.average_price)
    return f"{_FORCED[forced].format(what=what)} ({verb} at {average} on average)"


class AccountReporter:
    """Watches fills and account updates, reports what no order of ours caused, and writes the records."""

    def __init__(self, out: Outbox, account: AccountStateStore, price: ShowPrice) -> None:
        self._price = price
        self._out = out
        self._account = account
        self._told_fees: set[str] = set()
        self._next_equity_ns = 0

    def on_applied(self, applied: Applied) -> None:
        """An order changed: report a forced close when it has ended."""
        if applied.fill is not None:
            self._tell_other_fees(applied.fill.fee_asset)
        order = applied.order
        has_ended = not order.is_open and applied.before not in TERMINAL
        forced = applied.update.forced if applied.update is not None else ForcedClose.NONE
        text = forced_close(order, forced, self._price) if has_ended and order.filled_base else ""
        if text:
            self._out.notice("critical", text)

    def on_account(self, update: AccountUpdate) -> None:
        """A change of the balance that is no trade, funding or transfer; a margin call."""
        if update.change is AccountChange.MARGIN_CALL:
            self._out.notice("critical", "margin call: the exchange is close to liquidating positions")
        if update.change in {AccountChange.FUNDING, AccountChange.TRANSFER}:
            return
        for balance in update.balances:
            if not balance.change:
                continue
            amount = f"{plain(balance.change)} {balance.asset}"
            if update.change is AccountChange.INSURANCE:
                text = f"liquidation: the exchange's insurance fund has changed the balance by {amount}"
            else:
                text = f"the exchange has changed the balance by {amount} ({update.reason})"
            level: Severity = "critical" if update.change is AccountChange.INSURANCE else "warning"
            counts = "; it counts in today's result" if balance.asset == self._account.quote_asset else ""
            self._out.notice(level, f"{text}{counts}")

    def note_day(self) -> None:
        """Record where today's P&L begins."""
        began = self._account.take_new_day()
        if began is not None:
            self._out.append(began)

    def note_equity(self) -> None:
        """Record a point of the equity curve, once a minute."""
        now_ns = self._out.clock.now_ns
        if now_ns < self._next_equity_ns:
            return
        self._next_equity_ns = now_ns + EQUITY_EVERY_NS
        account = self._account
        self._out.append(
            EquityMark(
                account.wallet_balance, account.realised_pnl, account.unrealised_pnl, account.fees, now_ns
            )
        )

    def on_set_back(self, now_ns: int) -> None:
        """The clock was set back: the next point is due."""
        self._next_equity_ns = min(self._next_equity_ns, now_ns)

    def _tell_other_fees(self, asset: str) -> None:
        """Report once for each asset that the fees shown leave it out."""
        if asset in self._account.other_fees and asset not in self._told_fees:
            self._told_fees.add(asset)
            rates = (
                f"{plain(100 * TAKER_FEE)} % of what is traded, {plain(100 * MAKER_FEE)} % where it rested"
            )
            text = f"fees are taken in {asset}: those shown leave them out, today's loss counts {rates}"
            self._out.notice("warning", text)
