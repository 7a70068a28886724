"""The facts behind the gates of entries, collected from events."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from engine.account.leverage import Leverages
from engine.account.state import AccountStateStore
from engine.market_data.bar_watch import BarWatch
from engine.model.config import EngineConfig
from engine.model.context import Clock, Touch
from engine.model.operator_state import OperatorState
from engine.model.price_text import PriceText
from engine.model.timeframes import time_text, utc_text
from engine.orders.client_ids import is_of_an_engine
from engine.orders.order_store import OrderStore
from engine.risk.facts.gates import STALE_MARK_NS, AccountFacts, SymbolFacts, blockers
from engine.risk.facts.gateway import NOTHING_KNOWN, gateway_facts
from gateways.wire.messages import GatewayStatus, Instrument, PositionReport, Snapshot

_UNKNOWN = Decimal(0)


class Health:
    """State of links, data, clock and account, collected from events. `instruments`: filters by symbol."""

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        operator: OperatorState,
        touches: Mapping[str, Touch],
        account: AccountStateStore,
        leverages: Leverages,
        bars: BarWatch,
        store: OrderStore,
    ) -> None:
        self._config = config
        self._clock = clock
        self._touches = touches
        self.operator = operator
        self._account = account
        self._leverages = leverages
        self._margin_modes: dict[str, str] = {}
        self._bars = bars
        self._store = store
        self.stops_refused: set[str] = set()
        self.instruments: dict[str, Instrument] = {}
        self.show_price = PriceText(self.instruments)
        self.connected = False
        self.link_reason = ""
        """Why the connection to the gateway was lost last."""
        self.reconciled = False
        self.ever_reconciled = False
        self.journal_ok = True
        self.records_known = True
        self.hedge_mode = False
        self.multi_assets = False
        self.set_back = False
        self.status: GatewayStatus | None = None
        self.gateway = NOTHING_KNOWN
        self.fresh_symbols: frozenset[str] = frozenset()
        self._judged: tuple[AccountFacts, tuple[SymbolFacts, ...]] | None = None
        self._closed: tuple[str, ...] = ()

    def on_status(self, status: GatewayStatus) -> bool:
        """Take the gateway's report of itself; returns whether anything in it has changed for the gates."""
        before = self.gateway, self.fresh_symbols, self.multi_assets
        self.status = status
        self.gateway = gateway_facts(status, self._config)
        self.fresh_symbols = frozenset(status.fresh_symbols)
        if status.multi_assets_margin is not None:
            self.multi_assets = status.multi_assets_margin
        self._clock.offset_ns = status.clock_offset_ns
        return (self.gateway, self.fresh_symbols, self.multi_assets) != before

    def on_modes(self, snapshot: Snapshot) -> None:
        """Take the modes of the account."""
        self.hedge_mode = snapshot.hedge_mode
        self.multi_assets = snapshot.multi_assets_margin

    def on_positions(self, reports: Iterable[PositionReport]) -> None:
        """Take the margin mode of each symbol that is named."""
        for report in reports:
            if report.margin_type:
                self._margin_modes[report.symbol] = report.margin_type

    def on_link(self, *, up: bool) -> None:
        """The connection to the gateway was made or lost; either way everything must be reconciled again."""
        self.connected = up
        self.reconciled = False
        if not up:
            self.status = None
            self.gateway = NOTHING_KNOWN
            self.fresh_symbols = frozenset()

    def is_fresh(self, symbol: str) -> bool:
        """Whether the symbol's book is synchronised and its last tick young enough."""
        touch = self._touches.get(symbol)
        if touch is None or touch.receive_time_ns == 0 or symbol not in self.fresh_symbols:
            return False
        return self._clock.now_ns - touch.receive_time_ns <= self._config.stale_after_ns

    @property
    def stopped_until_ns(self) -> int:
        """Until when the exchange has stopped all requests, by our clock; 0 where none is stopped, or exits
        try on."""
        status = self.status
        if status is None or not status.banned_until_ns or status.exits_still_sent:
            return 0
        return status.banned_until_ns - status.clock_offset_ns

    def account_facts(self) -> AccountFacts:
        """What the gates of the account look at, as of now."""
        gateway, max_daily_loss = self.gateway, self._config.limits.max_daily_loss_quote
        return AccountFacts(
            connected=self.connected,
            clock_set_back=self.set_back,
            reconciled=self.reconciled,
            hedge_mode=self.hedge_mode,
            multi_assets=self.multi_assets,
            keys_refused=gateway.keys_refused,
            links_up=gateway.links_up,
            requests_left=gateway.requests_left,
            clock_trouble=gateway.clock_trouble,
            journal_ok=self.journal_ok,
            rebuild="" if self.records_known else self._config.ctl("rebuild"),
            paused="" if self.operator.killed else self._paused_since(),  # one cause is told, not two
            killed=str(self.operator.killed or ""),
            daily_pnl_quote=_UNKNOWN if max_daily_loss is None else self._account.daily_pnl,
            max_daily_loss_quote=max_daily_loss,
        )

    def _paused_since(self) -> str:
        if not self.operator.is_paused:
            return ""
        since_ns = self.operator.paused_since_ns
        return utc_text(since_ns) if since_ns else "an earlier run"

    def symbol_facts(self, symbol: str, others: Mapping[str, str] | None = None) -> SymbolFacts:
        """What the gates of a symbol look at, as of now. `others`: `_other_engines`, where many are asked."""
        touch, instrument = self._touches.get(symbol), self.instruments.get(symbol)
        mark_time_ns = 0 if touch is None else touch.mark_time_ns
        is_fresh = self.is_fresh(symbol)
        return SymbolFacts(
            symbol=symbol,
            quote_asset="" if instrument is None else instrument.quote_asset,
            money=self._account.quote_asset,
            status="" if instrument is None else instrument.status,
            margin_mode=self._margin_modes.get(symbol, ""),
            unconfirmed_leverage=self._leverages.unconfirmed(symbol),
            stop_refused=symbol in self.stops_refused,
            other_engine=(self._other_engines() if others is None else others).get(symbol, ""),
            book_fresh=is_fresh,
            book_since="" if is_fresh else self._book_since(symbol),
            overdue=self._bars.silent.get(symbol, ""),
            mark_known=mark_time_ns != 0 and (self._account.mark(symbol) or 0) > 0,
            mark_stale=mark_time_ns != 0 and self._clock.now_ns - mark_time_ns > STALE_MARK_NS,
        )

    def _other_engines(self) -> dict[str, str]:
        """By symbol, an order there that another engine made: one whose journal was lost, or that trades
        elsewhere."""
        found: dict[str, str] = {}
        for order in self._store.open_orders():
            if order.is_external and is_of_an_engine(order.client_order_id):
                found.setdefault(order.intent.symbol, order.client_order_id)
        return found

    def _book_since(self, symbol: str) -> str:
        """The minute in which the last tick of a fresh book came."""
        last_ns = self._touches[symbol].receive_time_ns if symbol in self._touches else 0
        return time_text(last_ns + self._clock.offset_ns) if last_ns > 1 else ""

    def blockers(self, symbol: str = "") -> tuple[str, ...]:
        """What blocks entries, for a person: of one symbol, or of all."""
        symbols = (symbol,) if symbol else self._config.symbols
        others = self._other_engines()
        facts = self.account_facts(), tuple([self.symbol_facts(one, others) for one in symbols])
        if facts != self._judged:  # else the sentences are the same: nothing but the facts makes them
            self._judged, self._closed = facts, blockers(*facts)
        found = self._closed
        return (
            (f"the exchange cannot answer ({self.gateway.unanswered})", *found)
            if found and self.gateway.unanswered
            else found
        )
