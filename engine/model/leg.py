"""Which order of its cause an order is. In client order ids and in the journal a leg is one short text."""

import re
from functools import lru_cache
from typing import Literal

import msgspec

Kind = Literal["entry", "close", "flatten", "stop", "target", "partial", "exit", "try", "other"]
Route = Literal["market", "rests", "met", "past_stop"]
Level = Literal["", "limit", "stop"]

_PREFIXES: dict[Route, str] = {"market": "", "rests": "rest:", "met": "met:"}
_PAST_STOP = re.compile(r"past-stop(0|[1-9][0-9]{0,8})(?::(.*))?", re.DOTALL)
_PARTIAL = re.compile(r"partial(0|[1-9][0-9]{0,8})")
_EXIT = re.compile(r"exit:(.+):(limit|stop)([2-9]|[1-9][0-9]{1,8})?", re.DOTALL)


class Leg(msgspec.Struct, frozen=True):
    """What an order is for (`kind`) and how it is placed (`route`).

    Routes: at market, resting, at market because price is beyond the level already (`met`), or at market
    because a stop could not be placed or did not fill (`past_stop`, with the stop's `attempt`). `id` is a
    script's name for its entry, close or exit. A script's exit has a `level` and the `number`, from 1, of the
    entry it leaves; a partial exit has its `number` from 0. "other" is a text of an unknown form, kept in
    `id`.
    """

    kind: Kind
    route: Route = "market"
    id: str = ""
    level: Level = ""
    number: int = 0
    attempt: int = 0

    @property
    def name(self) -> str:
        """The text without what says how it is placed."""
        if self.kind == "other":
            return self.id
        if self.kind == "partial":
            return f"partial{self.number}"
        if self.kind == "exit":
            return f"exit:{self.id}:{self.level}{self.number if self.number > 1 else ''}"
        return f"{self.kind}:{self.id}" if self.id else self.kind

    @property
    def text(self) -> str:
        """As client order ids and the journal have it."""
        if self.route != "past_stop":
            return _PREFIXES[self.route] + self.name
        return f"past-stop{self.attempt}" + ("" if self.kind == "stop" else f":{self.name}")

    @property
    def rests(self) -> bool:
        """Whether the order waits in the market for its price."""
        return self.route == "rests"

    @property
    def entry_id(self) -> str:
        """Id of the entry that a fill opens: a script's own, or the leg's name where it gave none."""
        if self.kind == "entry" and self.id:
            return self.id
        return self.name if self.rests else self.text

    @property
    def met(self) -> "Leg":
        """The same order at market, because price is beyond its level already."""
        return msgspec.structs.replace(self, route="met")

    def past_stop(self, attempt: int) -> "Leg":
        """The same order at market, after that attempt to let it rest."""
        return msgspec.structs.replace(self, route="past_stop", attempt=attempt)

    @staticmethod
    @lru_cache(maxsize=4096)
    def parse(text: str) -> "Leg":
        """The leg that has this text; every text has one."""
        past = _PAST_STOP.fullmatch(text)
        if past is not None:
            attempt, name = int(past[1]), past[2]
            if name in {None, "stop"}:  # a name that is never written belongs to no stop
                kind: Kind = "stop" if name is None else "other"
                return Leg(kind, "past_stop", name or "", attempt=attempt)
            return _waiting(name).past_stop(attempt)
        if text.startswith("rest:"):
            return _waiting(text.removeprefix("rest:"))
        if text.startswith("met:"):
            return _waiting(text.removeprefix("met:")).met
        return _at_market(text)


ENTRY = Leg("entry")
CLOSE = Leg("close")
FLATTEN = Leg("flatten")
TRY = Leg("try")
"""A stop that is placed only to see whether the exchange accepts it."""
WAITING_ENTRY = Leg("entry", "rests")
"""An entry of a signal strategy at its signal's price."""
STOP = Leg("stop", "rests")
TARGET = Leg("target", "rests")


def resting_entry(entry_id: str) -> Leg:
    """A script's entry at a limit or at a stop."""
    return Leg("entry", "rests", entry_id)


def partial_exit(number: int) -> Leg:
    """A partial exit of the exit rules, counted from 0."""
    return Leg("partial", "rests", number=number)


def script_exit(exit_id: str, level: Level, entry_number: int) -> Leg:
    """A script's `exit` at its limit or its stop, of the entry with that number (from 1)."""
    return Leg("exit", "rests", exit_id, level, entry_number)


_AT_MARKET = {leg.name: leg for leg in (ENTRY, CLOSE, FLATTEN, TRY)}
_RESTING = {leg.name: leg for leg in (STOP, TARGET, resting_entry(""))}


def _waiting(name: str) -> Leg:
    """A leg that rests, or should have."""
    known = _RESTING.get(name)
    if known is not None:
        return known
    kind, _, entry_id = name.partition(":")
    if kind == "entry" and entry_id:
        return resting_entry(entry_id)
    partial = _PARTIAL.fullmatch(name)
    if partial is not None:
        return partial_exit(int(partial[1]))
    found = _EXIT.fullmatch(name)
    if found is not None:
        return script_exit(found[1], "limit" if found[2] == "limit" else "stop", int(found[3] or 1))
    return Leg("other", "rests", name)


def _at_market(text: str) -> Leg:
    kind, _, script_id = text.partition(":")
    known = _AT_MARKET.get(kind)
    if known is None or (known.name != text and (known not in {ENTRY, CLOSE} or not script_id)):
        return Leg("other", id=text)
    return msgspec.structs.replace(known, id=script_id)
