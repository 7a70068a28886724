"""What the gateway's newest report of itself means for trading."""

import msgspec

from engine.model.audit import Severity
from engine.model.config import EngineConfig
from engine.model.timeframes import SECOND_NS
from gateways.wire.messages import GatewayStatus

ROOM_PERCENT = 90
"""Beyond that the gateway keeps what is left of a minute's requests for stops and cancels."""

CLOCK_UNKNOWN = "the exchange's clock is not known well enough"


class GatewayFacts(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Judged once for each report; where the next one gives the same facts, it has moved no gate.

    `private_stream` is the state of the stream that brings order events ("": not told), `links_up` says that
    it and requests work. `requests_left`: this minute's request limit leaves room for entries, which must be
    closed again. `answers_come`: a request sent now would be answered. `clock_trouble` is what is wrong
    between the machine's clock and the exchange's ("": nothing). `keys_refused` and `unanswered` are as the
    gateway says.
    """

    private_stream: str
    links_up: bool
    requests_left: bool
    answers_come: bool
    clock_trouble: str
    keys_refused: str
    unanswered: str


NOTHING_KNOWN = GatewayFacts(
    private_stream="",
    links_up=False,
    requests_left=True,
    answers_come=False,
    clock_trouble=CLOCK_UNKNOWN,
    keys_refused="",
    unanswered="",
)
"""Before the first report, and without a connection."""


def gateway_facts(status: GatewayStatus, config: EngineConfig) -> GatewayFacts:
    """The facts of one report. A link it does not name is up."""
    private, rest = status.streams.get("private", "up"), status.streams.get("rest", "up")
    requests_left = 100 * status.budget_used <= ROOM_PERCENT * status.budget_limit
    return GatewayFacts(
        private_stream=private,
        links_up=private == "up" and rest == "up",
        requests_left=requests_left,
        answers_come=requests_left and rest == "up",
        clock_trouble=_clock_trouble(status, config),
        keys_refused=status.keys_refused,
        unanswered=status.unanswered,
    )


def _clock_trouble(status: GatewayStatus, config: EngineConfig) -> str:
    if status.clock_uncertainty_ns > config.max_clock_uncertainty_ns:
        return CLOCK_UNKNOWN
    if abs(status.clock_offset_ns) <= config.max_clock_offset_ns:
        return ""
    where = "behind" if status.clock_offset_ns > 0 else "ahead of"
    most = f"{config.max_clock_offset_ns / SECOND_NS:g} s"
    return f"the machine's clock is more than {most} {where} the exchange's; set it right"


def stop_notice(status: GatewayStatus) -> tuple[Severity, str]:
    """How severe a stop of requests by the exchange is, and what it means."""
    seconds = (status.banned_until_ns - status.time_ns - status.clock_offset_ns) / 1e9
    text = f"the exchange takes no requests for another {seconds:.0f} s"
    if status.exits_still_sent:
        text = f"the exchange answers 403: requests pause for {seconds:.0f} s, exits and cancels keep trying"
    return "critical" if seconds > 60.0 else "warning", text
