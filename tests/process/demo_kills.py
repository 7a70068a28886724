"""Kills processes of a running demo at chosen moments, and waits until it trades again."""

import contextlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.process.demo_rig import Demo

BUSY_CONFIG = """
symbols = ["BTCUSDT"]
[simulator]
enabled = true
seed = {seed}
[risk]
max_order_notional_quote = 2000
max_position_notional_quote = 5000
max_leverage = 3
max_daily_loss_quote = 5000
max_orders = 10000
[[strategies]]
name = "sma_crossover_inflection"
symbols = ["BTCUSDT"]
timeframe = "1s"
params = {{ short = 1, long = 2, smoothing = 1 }}
sizing = {{ kind = "cash", value = 500 }}
{protection}
"""
"""Turns its position every few seconds."""
PROTECTIONS = {"unprotected": "unprotected = true", "stop": "protective_stop_percent = 5"}
GROUPS = (
    *(("engine",), ("gateway",), ("simulator",)) * 3,
    ("engine", "gateway"),
    ("gateway", "engine"),
    ("engine", "simulator"),
    ("simulator", "engine"),
    ("gateway", "simulator"),
    ("simulator", "gateway"),
    ("engine", "gateway", "simulator"),
    ("simulator", "gateway", "engine"),
)
"""Who dies together, in which order."""
BACK_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 15.0


@dataclass
class Killer:
    """Remembers whom it killed, and how long each recovery took."""

    demo: Demo
    random: random.Random
    kills: int = 0
    in_flight: int = 0
    recovery_seconds: dict[str, list[float]] = field(default_factory=dict)

    def strike(self, names: Sequence[str], *, in_flight: bool) -> int:
        """Kill them at a random moment, or a moment after an order was written down.

        Returns where the output stood after the last blow.
        """
        if in_flight:
            self.in_flight += self.wait_for_an_order()
            time.sleep(self.random.random() * 0.02)
        else:
            time.sleep(self.random.random() * 1.5)
        since = self.demo.output_bytes
        for name in names:
            # It may be dead from the blow before and not be back yet.
            with contextlib.suppress(ProcessLookupError, AssertionError):
                self.demo.kill(name)
                self.kills += 1
                since = self.demo.output_bytes
            time.sleep(self.random.choice((0.0, 0.0, self.random.random() * 0.3)))
        return since

    def wait_until_back(self, names: Sequence[str], since: int) -> None:
        """Entries are open again, after what the output said at `since`."""
        began = time.monotonic()
        self.demo.until(
            lambda _: entries_open(self.demo.said_since(since)), "entries open again", BACK_SECONDS
        )
        self.recovery_seconds.setdefault("+".join(names), []).append(round(time.monotonic() - began, 3))

    def wait_for_an_order(self) -> bool:
        """At most some seconds: a market may stand still. Whether one came."""
        seen = self.demo.output_bytes
        deadline = time.monotonic() + LONGEST_WAIT_SECONDS
        while b" order     " not in self.demo.said_since(seen):
            if time.monotonic() > deadline:
                return False
            time.sleep(0.001)
        return True


def entries_open(said: bytes) -> bool:
    """Whether the newest word on entries is that they are open."""
    return said.rfind(b"entries open") > said.rfind(b"entries blocked") and b"entries open" in said
