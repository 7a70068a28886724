"""The gateway's log is lines for a person, and does not say the same at every try."""

import pytest
import structlog

from gateways.binance.setup.log_lines import LogLines


class Log:
    """A log whose clock is ours."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.lines = LogLines(lambda: self.seconds)

    def say(self, level: str, event: str, **values: object) -> str:
        try:
            return self.lines(
                None, level, {"timestamp": "10:00:00.123456", "level": level, "event": event, **values}
            )
        except structlog.DropEvent:
            return ""


@pytest.mark.parametrize(
    ("level", "event", "values", "line"),
    [
        ("info", "link", {"link": "market", "state": "up"}, "link: market, state up"),
        (
            *("info", "engine connected", {"engine": "e1", "symbols": ["BTCUSDT", "ETHUSDT"]}),
            "engine connected: e1, symbols BTCUSDT ETHUSDT",
        ),
        ("warning", "lost", {"link": "public", "reason": "cut"}, "WARNING lost: link public, cut"),
        ("warning", "engine disconnected", {"reason": "it closed"}, "engine disconnected: it closed"),
        ("error", "the gateway failed", {"exception": "Traceback"}, "ERROR the gateway failed\nTraceback"),
    ],
)
def test_a_line_is_words(level: str, event: str, values: dict[str, object], line: str) -> None:
    assert Log().say(level, event, **values) == f"10:00:00.123 {line}"


def test_a_name_that_cannot_be_resolved_is_one_sentence_a_minute() -> None:
    log = Log()
    log.lines.hosts = {"rest": "fapi.binance.com"}
    why = "[Errno -3] Temporary failure in name resolution"
    said = log.say("warning", "cannot connect", link="rest", reason=why)
    assert said.endswith("WARNING no connection to fapi.binance.com: name could not be resolved")
    assert not log.say("warning", "cannot connect", link="market", reason=why)
    unreached = "GET depth: no connection to the exchange"
    assert not log.say("warning", "no book snapshot", symbol="BTCUSDT", reason=unreached)
    log.seconds = 59.0
    assert not log.say("warning", "cannot connect", link="rest", reason=why)
    log.seconds = 60.0
    assert log.say("warning", "cannot connect", link="rest", reason=why)


def test_what_fails_at_every_try_is_said_once_a_minute_for_each_symbol() -> None:
    log = Log()
    assert log.say("warning", "no book snapshot", symbol="BTCUSDT", reason="no connection")
    assert not log.say("warning", "no book snapshot", symbol="BTCUSDT", reason="no connection")
    assert log.say("warning", "no book snapshot", symbol="ETHUSDT", reason="no connection")
    assert log.say("warning", "lost", link="public", reason="cut")
    assert log.say("warning", "lost", link="public", reason="cut")
