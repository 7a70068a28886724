"""Leverage as the configuration wants it: asked for until the exchange has confirmed it.

Entries of a symbol wait until its leverage is confirmed. What is refused or not answered is asked for again,
ever less often. When the exchange states another leverage later, somebody has changed it: that is told, and
where the configuration names one it is set again.
"""

import msgspec

from engine.model.config import EngineConfig
from engine.model.context import Clock, Outbox
from engine.model.lots import plain
from engine.model.timeframes import NEVER_NS, SECOND_NS
from gateways.wire.messages import Instrument, Reply, SetLeverage

AGAIN_NS = 2 * SECOND_NS
MOST_DOUBLINGS = 5
"""A refusal is asked about again after 2 s, then 4 s, at most every 64 s."""
SURE_NS = 2 * SECOND_NS
"""An answer that was under way when leverage was set may still state the old one."""


class _Setting(msgspec.Struct):
    """What is known of one symbol. `settled_id` is the newest request when leverage was confirmed, `stated`
    what the exchange says, `told` which other leverage people have been told of."""

    wanted: int
    is_confirmed: bool = False
    request_id: int = 0
    settled_id: int = 0
    failures: int = 0
    due_ns: int = NEVER_NS
    stated: int = 0
    told: int = 0


class Leverages:
    """Sets leverage, and watches that it stays so."""

    def __init__(self, config: EngineConfig, clock: Clock, out: Outbox) -> None:
        self._config = config
        self._clock = clock
        self._out = out
        self._settings: dict[str, _Setting] = {}
        self._stated: dict[str, int] = {}
        for spec in config.strategies:
            for symbol in spec.symbols if spec.leverage is not None else ():
                known = self._settings.get(symbol)
                leverage = max(spec.leverage or 0, 0 if known is None else known.wanted)
                self._settings[symbol] = _Setting(leverage)
        self._is_up = False
        self.deadline_ns = NEVER_NS

    def unconfirmed(self, symbol: str) -> int:
        """The leverage that is wanted and not confirmed (0: none)."""
        setting = self._settings.get(symbol)
        return 0 if setting is None or setting.is_confirmed else setting.wanted

    def on_link_up(self) -> None:
        """Nothing is known of what happened while the link was down."""
        self._is_up = True
        for symbol, setting in self._settings.items():
            setting.is_confirmed = False
            setting.failures = 0
            self._ask(symbol, setting)
        self._reschedule()

    def on_link_down(self) -> None:
        """Nothing can be asked."""
        self._is_up = False
        for setting in self._settings.values():
            setting.request_id, setting.due_ns = 0, NEVER_NS
        self._reschedule()

    def on_reply(self, reply: Reply) -> None:
        """The answer to a wish, or to something else."""
        for symbol, setting in self._settings.items():
            if setting.request_id and setting.request_id == reply.request_id:
                setting.request_id = 0
                if reply.outcome == "ok":
                    self._confirmed(symbol, setting)
                else:
                    self._refused(symbol, setting, f"{reply.outcome} {reply.code} {reply.message}".rstrip())
                self._reschedule()
                return

    def on_instrument(self, instrument: Instrument, snapshot_id: int = 0) -> None:
        """What the exchange states. `snapshot_id` is the request of the snapshot it came with: one asked for
        before leverage was confirmed may hold what was before."""
        symbol, stated = instrument.symbol, instrument.leverage
        setting = self._settings.get(symbol)
        if not stated:
            return
        if setting is None:
            self._tell_change(instrument, self._stated.get(symbol, stated))
            self._stated[symbol] = stated
            return
        if snapshot_id and snapshot_id <= setting.settled_id:
            return
        setting.stated = stated
        if stated == setting.wanted:
            setting.told = 0
        if setting.is_confirmed and stated != setting.wanted:
            setting.is_confirmed = False
            setting.due_ns = self._clock.now_ns + SURE_NS
        elif stated == setting.wanted and not setting.request_id:
            self._confirmed(symbol, setting)
        self._reschedule()

    def on_time(self) -> None:
        """Ask again what was refused, not answered, or changed by somebody."""
        for symbol, setting in self._settings.items():
            if setting.due_ns > self._clock.now_ns or setting.is_confirmed:
                continue
            is_changed = setting.stated not in {0, setting.wanted, setting.told} and not setting.request_id
            if is_changed and not setting.failures:
                setting.told = setting.stated
                text = f"{symbol}: leverage is {setting.stated} at the exchange, the configuration wants"
                text = f"{text} {setting.wanted}: it is set again, and entries wait until it is confirmed"
                self._out.notice("warning", text)
            self._ask(symbol, setting)
        self._reschedule()

    def on_set_back(self, now_ns: int) -> None:
        """The clock went back: what was to be asked later is asked soon."""
        for setting in self._settings.values():
            if setting.due_ns != NEVER_NS:
                setting.due_ns = min(setting.due_ns, now_ns + AGAIN_NS)
        self._reschedule()

    def _ask(self, symbol: str, setting: _Setting) -> None:
        if not self._is_up:
            return
        setting.request_id = self._out.next_request_id()
        setting.due_ns = self._clock.now_ns + self._config.snapshot_timeout_ns
        self._out.send(SetLeverage(setting.request_id, symbol, setting.wanted))

    def _confirmed(self, symbol: str, setting: _Setting) -> None:
        if setting.failures:
            self._out.notice("info", f"leverage {setting.wanted} of {symbol} is confirmed")
        setting.is_confirmed = True
        setting.failures = 0
        setting.settled_id = self._out.last_request_id
        setting.due_ns = NEVER_NS

    def _refused(self, symbol: str, setting: _Setting, why: str) -> None:
        """Told once, until it is confirmed."""
        if not setting.failures:
            text = f"leverage {setting.wanted} of {symbol} was not accepted: {why}"
            self._out.notice("critical", f"{text}; it is asked for again, and entries wait")
        setting.due_ns = self._clock.now_ns + (AGAIN_NS << min(setting.failures, MOST_DOUBLINGS))
        setting.failures += 1

    def _tell_change(self, instrument: Instrument, before: int) -> None:
        """Of a symbol whose leverage the configuration leaves as it is."""
        now = instrument.leverage
        if now == before:
            return
        text = f"{instrument.symbol}: leverage was changed from {before} to {now} by somebody else"
        limit = self._config.limits.max_position_notional_quote
        caps = [one.cap_quote for one in instrument.brackets if one.max_leverage >= now]
        if limit is not None and caps and max(caps) < limit:
            text += (
                f"; it allows a position of {plain(max(caps))}, and risk.max_position_notional_quote is "
                f"{plain(limit)}: larger entries will be refused"
            )
        self._out.notice("warning", text)

    def _reschedule(self) -> None:
        self.deadline_ns = min((one.due_ns for one in self._settings.values()), default=NEVER_NS)
