"""What the operator has said that still holds."""

from collections import OrderedDict

import msgspec

from engine.model.cause import Cause
from engine.model.owners import strategy_name
from engine.model.timeframes import utc_text
from runtime.control.commands import CommandName

MAX_REMEMBERED = 10_000
"""So many ids of commands are kept, so that none is done twice."""
OwnerKey = tuple[str, str]
"""Owner and symbol of a strategy."""
Left = tuple[str, str, str]
"""Owner, symbol, and the text of the cause for which a position must be left."""


class Given(msgspec.Struct, frozen=True):
    """A command with all that its effect depends on.

    `targets` are the configured strategies it was given to, `left_behind` those no longer configured whose
    positions `flatten` leaves. `cause` goes into the ids of the orders it leads to.
    """

    command_id: str
    name: CommandName
    strategy: str
    symbol: str
    source: str
    time_ns: int
    cause: Cause
    targets: tuple[OwnerKey, ...] = ()
    left_behind: tuple[OwnerKey, ...] = ()

    @property
    def is_for_everything(self) -> bool:
        """Whether it names neither strategy nor symbol."""
        return not self.strategy and not self.symbol


class Killed(msgspec.Struct, frozen=True):
    """When and by which client the kill switch was switched on (0: it was on in a snapshot)."""

    time_ns: int = 0
    source: str = ""

    def __str__(self) -> str:
        """For a person."""
        if not self.time_ns:
            return "killed before the restart"
        return f"killed at {utc_text(self.time_ns)} by {'ctl' if self.source == 'control' else self.source}"


class OperatorSaved(msgspec.Struct, frozen=True, kw_only=True):
    """The state as a snapshot keeps it. `leaving` and `left_behind` are owner, symbol and cause."""

    commands: list[str]
    is_paused: bool
    paused_since_ns: int
    is_killed: bool
    paused: list[OwnerKey]
    leaving: list[Left]
    left_behind: list[Left]


class OperatorState:
    """Pause, kill, and what was said to single strategies. It goes by names: it outlives a configuration, and
    no strategy inherits what was said to another.

    Only `apply` changes it: with each command that is given, and at a start with each command of the journal.
    The same commands make the same state.
    """

    def __init__(self) -> None:
        self.is_paused = False
        self.paused_since_ns = 0
        """0 while paused: a journal of an earlier version does not tell."""
        self.killed: Killed | None = None
        self._paused: set[OwnerKey] = set()
        self._leaving: dict[OwnerKey, Cause] = {}
        self._left_behind: dict[OwnerKey, Cause] = {}
        self._done: OrderedDict[str, None] = OrderedDict()

    def apply(self, given: Given) -> None:
        """Take one command; one that was applied before must not be applied again."""
        self._remember(given.command_id)
        if given.name == "pause":
            self._pause(given)
        elif given.name == "resume":
            self._resume(given)
        elif given.name == "flatten":
            self._paused.update(given.targets)
            self._leaving.update(dict.fromkeys(given.targets, given.cause))
            self._left_behind.update(dict.fromkeys(given.left_behind, given.cause))
        elif given.name == "kill":
            self.killed = Killed(given.time_ns, given.source)
            self._pause_everything(given.time_ns)
            self._leaving.update(dict.fromkeys(given.targets, given.cause))

    def was_given(self, command_id: str) -> bool:
        """Whether a command of that id was applied."""
        return command_id in self._done

    def is_halted(self, key: OwnerKey) -> bool:
        """Whether that strategy enters nothing because of what was said to it. One that is configured again
        before what it left behind has been left, waits too."""
        return key in self._paused or key in self._left_behind

    def leaving(self, key: OwnerKey) -> Cause | None:
        """The command that said its position must be left (None: none did, or it was undone)."""
        return self._leaving.get(key) or self._left_behind.get(key)

    def forget_left_behind(self, key: OwnerKey) -> None:
        """What it left behind has been left, or it has entered anew: the word was not meant for that."""
        self._left_behind.pop(key, None)

    @property
    def paused(self) -> list[OwnerKey]:
        """Strategies that were paused by their name, configured or not."""
        return sorted(self._paused)

    @property
    def to_leave(self) -> dict[OwnerKey, Cause]:
        """Whose positions must be left, and the causes."""
        return dict(sorted((self._left_behind | self._leaving).items()))

    def saved(self) -> OperatorSaved:
        """For a snapshot."""
        return OperatorSaved(
            commands=list(self._done),
            is_paused=self.is_paused,
            paused_since_ns=self.paused_since_ns,
            is_killed=self.killed is not None,
            paused=self.paused,
            leaving=_texts(self._leaving),
            left_behind=_texts(self._left_behind),
        )

    def restore(self, saved: OperatorSaved) -> None:
        """Begin with what a snapshot says. It does not keep when the kill switch was switched on."""
        self._done = OrderedDict.fromkeys(saved.commands)
        self.is_paused, self.paused_since_ns = saved.is_paused, saved.paused_since_ns
        self.killed = Killed() if saved.is_killed else None
        self._paused = set(saved.paused)
        self._leaving = _causes(saved.leaving)
        self._left_behind = _causes(saved.left_behind)
        if self.killed is None:
            # Earlier versions kept what was left behind among the rest, and halted its owner.
            self._paused.update(self._leaving)

    def _remember(self, command_id: str) -> None:
        self._done[command_id] = None
        if len(self._done) > MAX_REMEMBERED:
            self._done.popitem(last=False)

    def _pause(self, given: Given) -> None:
        if given.is_for_everything:
            self._pause_everything(given.time_ns)
        else:
            self._paused.update(given.targets)

    def _pause_everything(self, time_ns: int) -> None:
        if not self.is_paused:
            self.is_paused, self.paused_since_ns = True, time_ns

    def _resume(self, given: Given) -> None:
        if given.is_for_everything:
            self.is_paused, self.paused_since_ns, self.killed = False, 0, None
        for key in given.targets:
            self._paused.discard(key)
            if self.killed is None:  # what `kill` said to close is closed, whichever strategy is resumed
                self._leaving.pop(key, None)
                self._left_behind.pop(key, None)
        for key in sorted((self._paused | self._leaving.keys()).difference(given.targets)):
            owner, symbol = key
            is_meant = given.strategy in {"", owner, strategy_name(owner)}
            if is_meant and given.symbol in {"", symbol}:
                self._resume_absent(key)

    def _resume_absent(self, key: OwnerKey) -> None:
        """It is not configured now, so nothing would look after its position: leaving that goes on."""
        self._paused.discard(key)
        cause = self._leaving.pop(key, None)
        if cause is not None:
            self._left_behind[key] = cause


def _texts(leaving: dict[OwnerKey, Cause]) -> list[Left]:
    return sorted((*key, cause.text) for key, cause in leaving.items())


def _causes(leaving: list[Left]) -> dict[OwnerKey, Cause]:
    return {(owner, symbol): Cause.parse(text) for owner, symbol, text in leaving}
