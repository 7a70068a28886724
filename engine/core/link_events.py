"""What the core does when the link, the gateway, the clock or the journal changes."""

from engine.core.bar_delivery import BarDelivery, Work
from engine.core.deadlines import Deadlines
from engine.core.parts import Parts
from engine.model.events import JournalState, LinkDown, LinkUp, Timer
from engine.model.timeframes import SECOND_NS
from engine.risk.facts.gateway import stop_notice
from gateways.wire import messages as wire

SET_BACK_NS = SECOND_NS
"""A clock that goes back by less is only being adjusted: time stands still for so long."""


class LinkEvents:
    """Handlers of what happens to the engine's surroundings."""

    def __init__(self, engine: Parts, delivery: BarDelivery, deadlines: Deadlines) -> None:
        self._engine = engine
        self._delivery = delivery
        self._deadlines = deadlines

    def on_link_up(self, link: LinkUp) -> None:
        """The gateway is there: say what is wanted, then compare everything."""
        engine = self._engine
        engine.clock.advance(link.now_ns)
        engine.health.on_link(up=True)
        engine.orders.on_link_up()
        engine.leverages.on_link_up()
        engine.recovery.on_link_up()

    def on_link_down(self, link: LinkDown) -> None:
        """The gateway is gone: data have a hole, and requests without an answer are unknown."""
        engine = self._engine
        engine.clock.advance(link.now_ns)
        if engine.health.connected or link.reason != engine.health.link_reason:
            engine.out.notice("warning", f"the link to the gateway is down: {link.reason}")
        engine.health.link_reason = link.reason
        engine.candles.mark_hole()
        engine.health.on_link(up=False)
        engine.bars.end()
        engine.orders.on_link_down()
        engine.recovery.on_link_down()
        engine.leverages.on_link_down()
        engine.strategies.on_link_down()

    def on_status(self, status: wire.GatewayStatus) -> None:
        """The gateway's report of itself. A book that lost its way leaves a hole in the candles made from
        it; what waited for the exchange to answer goes on."""
        engine, health = self._engine, self._engine.health
        engine.clock.advance(status.time_ns)
        for symbol in sorted(health.fresh_symbols.difference(status.fresh_symbols)):
            engine.candles.mark_hole(symbol)
        before, old = health.gateway, health.status
        self._tell_trouble(old, status)
        if health.on_status(status):
            engine.gate_reporter.look_soon()
        engine.bars.begin()
        now = health.gateway
        if old is not None and now.answers_come and not before.answers_come:
            engine.orders.ask_again()
            engine.trades.exits.on_answers()
        is_of_now = status.time_ns < engine.clock.timer_ns + SET_BACK_NS
        if health.set_back and not now.clock_trouble and is_of_now:
            self._after_set_back()
        if before.private_stream not in {"", "up"} and now.private_stream == "up" and health.reconciled:
            engine.recovery.begin("the private stream is back")

    def _tell_trouble(self, old: wire.GatewayStatus | None, status: wire.GatewayStatus) -> None:
        """What has begun to go wrong at the exchange."""
        notice = self._engine.out.notice
        if status.banned_until_ns and not (old and old.banned_until_ns):
            notice(*stop_notice(status))
        if status.keys_refused and not (old and old.keys_refused):
            text = (
                f"the exchange refuses the API key ({status.keys_refused}): entries wait, positions are kept"
            )
            notice("critical", f"{text}, and exits get through only when its rights are back")

    def on_timer(self, timer: Timer) -> Work:
        """Time as the machine's clock has it now. It may have been set ahead, and later back."""
        clock = self._engine.clock
        # What was under way while the clock was ahead may carry its time a second time.
        before_ns = clock.now_ns if self._engine.health.set_back else clock.timer_ns
        if timer.now_ns < before_ns - SET_BACK_NS:
            self._on_set_back(timer.now_ns)
        clock.timer_ns = timer.now_ns
        clock.advance(timer.now_ns)
        return self._delivery.carry_out(self._engine.strategies.go_on())

    def _on_set_back(self, now_ns: int) -> None:
        """What was to happen at times that are far away now happens soon; entries wait until the clock is
        known well again and the exchange's truth was compared."""
        engine = self._engine
        seconds = (engine.clock.now_ns - now_ns) / 1e9
        engine.clock.now_ns = now_ns
        engine.health.set_back = True
        text = (
            f"the machine's clock was set back by {seconds:.0f} s: no entries until all is reconciled again"
        )
        engine.out.notice("critical", text)
        for market in engine.markets.values():
            market.receive_time_ns = min(market.receive_time_ns, 1)
            market.mark_time_ns = min(market.mark_time_ns, now_ns)
        for part in self._deadlines.parts:
            part.on_set_back(now_ns)
        engine.account_reporter.on_set_back(now_ns)
        engine.risk.on_set_back(now_ns)
        engine.gate_reporter.look_soon()
        if engine.health.connected:
            engine.recovery.begin("the machine's clock was set back")

    def _after_set_back(self) -> None:
        """The exchange's time is known again: bars that were closed ahead of it are begun anew."""
        engine = self._engine
        engine.health.set_back = False
        engine.gate_reporter.look_soon()
        exchange_now_ns = engine.clock.exchange_now_ns
        engine.candles.begin_anew(exchange_now_ns)
        engine.bars.begin_anew()
        engine.strategies.begin_anew(exchange_now_ns)

    def on_journal(self, state: JournalState) -> None:
        """Whether entries can be written down."""
        self._engine.health.journal_ok = state.accepts_entries
