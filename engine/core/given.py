"""Commands in the journal: the one place that writes and reads them."""

from collections.abc import Callable, Iterable

from engine.model.cause import Cause
from engine.model.events import Command
from engine.model.operator_state import Given, OwnerKey
from engine.model.records import CommandGiven

_HAS_TARGETS = frozenset({"pause", "flatten", "kill", "resume"})

Chosen = Callable[[str, str], Iterable[OwnerKey]]
"""Whom a strategy's name and a symbol ("" is every one) mean, as things are now."""


def given_now(command: Command, targets: Chosen, left_behind: Chosen) -> Given:
    """A command as it is given, with whom it means now."""
    strategy, symbol = command.strategy, command.symbol
    return Given(
        command.command_id,
        command.name,
        strategy,
        symbol,
        command.source,
        command.now_ns,
        Cause.command(command.command_id),
        tuple(targets(strategy, symbol)) if command.name in _HAS_TARGETS else (),
        tuple(left_behind(strategy, symbol)) if command.name == "flatten" else (),
    )


def record_of(given: Given, argument: str) -> CommandGiven:
    """Its record for the journal."""
    arguments = {"strategy": given.strategy, "symbol": given.symbol, "argument": argument}
    if given.name in _HAS_TARGETS:
        arguments["given_to"] = _lines(given.targets)
    if given.left_behind:
        arguments["left_behind"] = _lines(given.left_behind)
    return CommandGiven(given.command_id, given.name, arguments, given.source, given.time_ns)


def given_before(record: CommandGiven, targets: Chosen, left_behind: Chosen) -> Given:
    """A command of the journal. Records of earlier versions do not say whom they were given to, or whose
    positions had been left behind: then it is whom they mean now."""
    strategy, symbol = record.arguments.get("strategy", ""), record.arguments.get("symbol", "")
    given_to = record.arguments.get("given_to")
    whom = tuple(targets(strategy, symbol)) if given_to is None else _keys(given_to)
    left = _keys(record.arguments.get("left_behind", ""))
    if record.name == "flatten" and not whom and not left:
        left = tuple(left_behind(strategy, symbol))
    return Given(
        record.command_id,
        record.name,  # type: ignore[arg-type]  # it was a `CommandName` when it was written
        strategy,
        symbol,
        record.origin,
        record.time_ns,
        Cause.command(record.command_id),
        whom,
        left,
    )


def _lines(keys: Iterable[OwnerKey]) -> str:
    """ "owner SYMBOL", a line each."""
    return "\n".join(f"{owner} {symbol}" for owner, symbol in keys)


def _keys(text: str) -> tuple[OwnerKey, ...]:
    return tuple((owner, symbol) for owner, _, symbol in (line.rpartition(" ") for line in text.splitlines()))
