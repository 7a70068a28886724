"""Operators' commands: journalled, done once, answered with one sentence."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal

from engine.account.attribution import OPERATOR
from engine.core.given import given_now, record_of
from engine.core.parts import Parts
from engine.core.standing import reasons_of, standing
from engine.execution.exits.market_exits import DUST
from engine.model.audit import Answer
from engine.model.cause import Cause
from engine.model.events import Command, Stop
from engine.model.leg import FLATTEN
from engine.model.lots import plain
from engine.model.operator_state import OwnerKey
from engine.model.owners import strategy_name
from engine.model.records import Audit
from engine.orders.order_store import Order
from engine.strategies.slot import SlotState, StrategySlot
from runtime.control.commands import COMMANDS, CommandName
from runtime.control.shown import counted
from runtime.suggestions import SYMBOL_LIKENESS, did_you_mean

_AGAIN = ", which a strategy that is not paused may place again at its next bar"
_NOT_CONNECTED = "no connection to the gateway: nothing was cancelled, try again later"
ZERO = Decimal(0)


class Commands:
    """Carries out the operator's commands, each in the method of its name."""

    def __init__(self, engine: Parts) -> None:
        self._engine = engine

    def on_command(self, command: Command) -> None:
        """Carry out a command once; one with a known id is refused."""
        engine = self._engine
        engine.clock.advance(command.now_ns)
        if engine.operator.was_given(command.command_id):
            self._answer(command, ok=False, text="this command was given before")
            return
        unknown = self._unknown(command)
        if unknown:
            self._answer(command, ok=False, text=unknown)
            return
        given = given_now(command, self.targets, engine.ownership.left_by)
        if not COMMANDS[command.name].is_question:
            engine.out.append(record_of(given, command.argument))
            engine.operator.apply(given)
        ok, text = self._carry_out(command, given.left_behind)
        self._answer(command, ok=ok, text=text)

    def _unknown(self, command: Command) -> str:
        """Why a command is refused before it is journalled: what it names is not traded here ("": it is)."""
        strategy, symbol, symbols = command.strategy, command.symbol, self._engine.config.symbols
        if symbol and symbol not in symbols:
            hint = did_you_mean(symbol, symbols, likeness=SYMBOL_LIKENESS)
            return f"{symbol} is not traded here{hint}; symbols are {', '.join(symbols)}"
        if not strategy:
            return ""
        meant = [one for names, one in self._traded(command.name) if _is_meant(command, names)]
        if not meant:
            names = sorted({name for names, _ in self._traded(command.name) for name in names})
            hint = did_you_mean(strategy, names)
            return f"there is no strategy {strategy!r}{hint}; strategies are {', '.join(names)}"
        if symbol and symbol not in meant:
            return f"{strategy} does not trade {symbol}; it trades {', '.join(sorted(set(meant)))}"
        return ""

    def _traded(self, command_name: CommandName) -> list[tuple[tuple[str, ...], str]]:
        """The names of each strategy that the command may be for, and a symbol it trades."""
        engine = self._engine
        found: list[tuple[tuple[str, ...], str]] = [
            ((slot.owner, strategy_name(slot.owner)), slot.symbol) for slot in engine.strategies.slots
        ]
        if command_name == "flatten":
            found += [((owner,), position.symbol) for owner, position in engine.ownership.orphans()]
        return found

    def on_stop(self, stop: Stop) -> None:
        """The shell ends: positions and resting orders stay as they are."""
        self._engine.clock.advance(stop.now_ns)
        self._engine.out.append(Audit("info", "stop", stop.reason, stop.now_ns))

    def _carry_out(self, command: Command, left_behind: Sequence[OwnerKey]) -> tuple[bool, str]:
        if command.name in {"kill", "flatten"}:
            return self._close(command, left_behind)
        carry_out: Callable[[Command], tuple[bool, str]] = getattr(self, f"_{command.name}")
        return carry_out(command)

    def _close(self, command: Command, left_behind: Sequence[OwnerKey]) -> tuple[bool, str]:
        """Kill and flatten: cancel what would enter, then close positions."""
        if command.name == "kill":
            count = self._cancel_everything(command.symbol)
            cancelled = counted(count, "order") if count else ""
        else:
            cancelled = self._resting_entries(self._slots(command))
        ok, text = self._flatten(command, left_behind)
        return ok, f"cancelling {cancelled}; {text}" if cancelled else text

    def _rebuild(self, command: Command) -> tuple[bool, str]:  # noqa: ARG002  # commands share one form
        """Take over what the journal has lost."""
        return self._engine.lost.rebuild()

    def _why(self, command: Command) -> tuple[bool, str]:
        """What each strategy does now, what stops it, its conditions on the last bar, its last signals."""
        engine = self._engine
        slots = [
            slot
            for slot in engine.strategies.slots
            if slot.owner.startswith(command.strategy) and command.symbol in {"", slot.symbol}
        ]
        signals = engine.trades.log.why(
            command.strategy, command.symbol, engine.store.get, self._outcome, engine.health.show_price
        )
        left_behind = engine.ownership.left_behind(command.symbol)
        failed = (_to_mend(slot) for slot in slots if slot.state is SlotState.FAILED)
        told = (
            line
            for slot, state in zip(slots, standing(slots, engine), strict=True)
            for line in (state, *reasons_of(slot))
        )
        return True, "\n".join((*told, *failed, *left_behind, signals))

    def targets(self, strategy: str, symbol: str) -> list[OwnerKey]:
        """The configured strategies that are meant by a name and a symbol ("" is every one)."""
        return [slot.key for slot in self._chosen(strategy, symbol)]

    def _slots(self, command: Command) -> list[StrategySlot]:
        return self._chosen(command.strategy, command.symbol)

    def _chosen(self, strategy: str, symbol: str) -> list[StrategySlot]:
        return [
            slot
            for slot in self._engine.strategies.slots
            if strategy in {"", slot.owner, strategy_name(slot.owner)} and symbol in {"", slot.symbol}
        ]

    def _pause(self, command: Command) -> tuple[bool, str]:
        """Stop the entries of all strategies, or of those that are named."""
        slots = self._slots(command)
        is_general = not command.strategy and not command.symbol
        if not is_general:
            self._tell(slots, f"command {command.command_id}")
        cancelled = self._enter_no_more(slots)
        if is_general:
            return True, f"everything is paused, entries are off until resume{cancelled}"
        return True, f"{_count_are(slots)} paused{cancelled}"

    def _resume(self, command: Command) -> tuple[bool, str]:
        """Allow entries again, of all strategies or of those that are named; restore stops and targets."""
        engine, slots = self._engine, self._slots(command)
        is_general = not command.strategy and not command.symbol
        if is_general:
            engine.risk.forget_refused()
            engine.trades.exits.give_up(OPERATOR)
            engine.stop_check.on_resume()
        self._tell(slots, "" if is_general else f"command {command.command_id}")
        for slot in slots:
            engine.trades.look_after(slot)
        if is_general:
            return True, _all_resumed(slots)
        still = self._still_off()
        running = [slot for slot in slots if slot.state is not SlotState.FAILED]
        return not still, f"{_count_are(running)} running again{still}{_failed(slots)}"

    def _tell(self, slots: Sequence[StrategySlot], reason: str) -> None:
        for slot in slots:
            self._engine.strategies.on_told(slot, reason)

    def _enter_no_more(self, slots: Sequence[StrategySlot]) -> str:
        """Cancel resting entries; returns the words that say so."""
        found = self._resting_entries(slots)
        for slot in slots:
            self._engine.trades.withdraw_entries(slot)
        return f", cancelling {found}" if found else ""

    def _resting_entries(self, slots: Sequence[StrategySlot]) -> str:
        """How many entries of those strategies rest, in words; "" when none does."""
        keys = {(slot.owner, slot.symbol) for slot in slots}
        orders = (one for one in self._engine.store.open_orders() if _is_entry(one))
        count = sum((one.intent.strategy, one.intent.symbol) in keys for one in orders)
        return counted(count, "resting entry", "resting entries") if count else ""

    def _still_off(self) -> str:
        """What a resume of some strategies does not undo."""
        operator = self._engine.operator
        if not operator.killed and not operator.is_paused:
            return ""
        word = "killed" if operator.killed else "paused"
        return f", but everything is {word} until resume without strategy and symbol"

    def _cancel(self, command: Command) -> tuple[bool, str]:
        """Cancel one order, whoever sent it; not a stop or target that would be placed again at once."""
        engine = self._engine
        if not engine.health.connected:
            return False, _NOT_CONNECTED
        order = engine.store.get(command.argument)
        if order is None or not order.is_open:
            return False, self._not_open(command.argument, order)
        intent = order.intent
        if engine.trades.looks_after(order):
            kind = "stop" if intent.is_conditional else "target"
            return False, (
                f"{command.argument} is a {kind} of {intent.strategy} on {intent.symbol} and would be placed "
                "again at once; flatten closes the position and cancels its stops and targets"
            )
        slot = engine.strategies.slot(intent.strategy, intent.symbol)
        if slot is not None and _is_entry(order):
            engine.trades.withdraw_entries(slot, order.leg)
        engine.orders.cancel(order, f"command {command.command_id}")
        again = _AGAIN if slot is not None and _is_entry(order) and not slot.paused else ""
        return True, f"cancelling {command.argument}{again}"

    def _not_open(self, given: str, order: Order | None) -> str:
        """Why there is nothing to cancel."""
        if order is not None:
            return f"order {given} is no longer open: {self._outcome(order).strip()}"
        ids = [one.client_order_id for one in self._engine.store.open_orders()]
        more = "`status` shows those that are open" if ids else "none is open"
        return f"there is no order {given!r}{did_you_mean(given, ids)}; {more}"

    def _cancel_all(self, command: Command) -> tuple[bool, str]:
        """Cancel the resting entries of strategies. Stops, targets and orders of others stay."""
        engine = self._engine
        if not engine.health.connected:
            return False, _NOT_CONNECTED
        orders = [one for one in engine.store.open_orders(command.symbol or None) if _rests(one)]
        entries = [one for one in orders if _is_entry(one)]
        for slot in self._slots(command):
            engine.trades.withdraw_entries(slot)
        for order in entries:
            engine.orders.cancel(order, f"command {command.command_id}")
        others = sum(one.is_external for one in orders)
        kept = len(orders) - len(entries) - others
        text = f"cancelling {counted(len(entries), 'resting entry', 'resting entries')}"
        if entries:
            text += _AGAIN
        if kept:
            text += f"; {counted(kept, 'stop or target', 'stops and targets')} of positions kept"
        if others:
            text += f"; {counted(others, 'order')} of somebody else kept, cancel ORDER cancels one"
        return True, text

    def _cancel_everything(self, symbol: str) -> int:
        """For kill: cancel all resting orders, of others too. A stop stays until its position is closed."""
        engine = self._engine
        orders = [
            one
            for one in engine.store.open_orders(symbol or None)
            if _rests(one) and not engine.trades.protects(one)
        ]
        for order in orders:
            engine.orders.cancel(order, "operator")
        return len(orders)

    def _flatten(self, command: Command, left_behind: Sequence[OwnerKey]) -> tuple[bool, str]:
        """Close the strategies' positions with reduce-only market orders; kill closes those of others too."""
        engine = self._engine
        if command.name == "flatten" and not left_behind and not self._slots(command):
            return False, f"no strategy matches {f'{command.strategy} {command.symbol}'.strip()}"
        sent: list[str] = []
        refused: list[str] = []
        for slot in self._slots(command):
            if command.name == "flatten":
                engine.strategies.on_told(slot, "flattened")
            engine.trades.withdraw_entries(slot)
            self._leave(command, slot.owner, slot.symbol, sent, refused)
        for owner, symbol in left_behind:
            self._leave(command, owner, symbol, sent, refused)
        if command.name == "kill":
            for symbol in engine.config.symbols:
                if command.symbol in {"", symbol}:
                    self._leave(command, OPERATOR, symbol, sent, refused)
        others = self._others(command)
        if sent:
            text = f"closing {', '.join(sent)}"
        elif refused:
            text = "nothing can be closed now"
        else:
            text = f"nothing to close: {'no strategy holds a position' if others else 'already flat'}"
        if others:
            text = f"{text}; {', '.join(others)}, which kill closes"
        if refused:
            text = f"{text}; not possible: {'; '.join(refused)}"
        return not refused, f"{text}; {self._off_until_resume(command)}"

    def _others(self, command: Command) -> list[str]:
        """What flatten does not close: positions of no configured strategy."""
        if command.name == "kill" or command.strategy:
            return []
        engine = self._engine
        return [
            f"{owner} holds {plain(position.qty_base)} {position.symbol}"
            for owner, position in engine.ownership.unmanaged()
            if position.symbol in ({command.symbol} if command.symbol else engine.config.symbols)
        ]

    def _off_until_resume(self, command: Command) -> str:
        if command.name == "kill":
            return "killed: no strategy enters anything until resume"
        paused = ", ".join(f"{slot.owner} on {slot.symbol}" for slot in self._slots(command))
        return f"paused until resume: {paused}" if paused else "no strategy is paused"

    def _leave(self, command: Command, owner: str, symbol: str, sent: list[str], refused: list[str]) -> None:
        """Close one owner's position; an order that cannot be sent now is sent as soon as possible."""
        trades = self._engine.trades
        position = trades.holdings.held(owner, symbol)
        if position == ZERO:
            return
        placed = trades.exits.leave(
            owner, symbol, cause=Cause.command(command.command_id), leg=FLATTEN, signal="Flatten"
        )
        if placed.client_order_id:
            sent.append(f"{plain(position)} {symbol}")
        elif placed.verdict is DUST:
            refused.append(f"{symbol}: {placed.verdict.reason}")
        else:
            refused.append(f"{symbol}: {placed.verdict.reason}, it is retried until it is closed")

    def _outcome(self, order: Order) -> str:
        """What became of an order, in words."""
        average = self._engine.health.show_price(order.intent.symbol, order.average_price)
        filled = f" {plain(order.filled_base)} at {average}" if order.filled_base else ""
        reason = f": {order.reason}" if order.reason else ""
        return f"{order.intent.leg} {order.state.name.lower().replace('_', ' ')}{filled}{reason}"

    def _answer(self, command: Command, *, ok: bool, text: str) -> None:
        self._engine.out.notify(Answer(self._engine.clock.now_ns, command.command_id, ok, text))


def _to_mend(slot: StrategySlot) -> str:
    """What a person can do about a strategy that has failed."""
    return (
        f"{slot.owner} on {slot.symbol} has failed and does not run; fix its file and restart "
        "(flatten closes its position)"
    )


def _count_are(slots: Sequence[StrategySlot]) -> str:
    if not slots:
        return "no strategy is"
    return f"{counted(len(slots), 'strategy', 'strategies')} {'is' if len(slots) == 1 else 'are'}"


def _all_resumed(slots: Sequence[StrategySlot]) -> str:
    """The answer to a resume without names."""
    failed = _failed(slots)
    if not failed:
        return "everything is running again"
    runs = any(slot.state is not SlotState.FAILED for slot in slots)
    return f"{'everything else is running again' if runs else 'entries are on again'}{failed}"


def _failed(slots: Iterable[StrategySlot]) -> str:
    """What to add to an answer that says that strategies run: those that do not, and what to do."""
    return "".join(f"; {_to_mend(slot)}" for slot in slots if slot.state is SlotState.FAILED)


def _is_meant(command: Command, names: Sequence[str]) -> bool:
    """Whether the command is for a strategy of these names; for `why` their beginning is enough."""
    given = command.strategy
    return any(name.startswith(given) if command.name == "why" else name == given for name in names)


def _rests(order: Order) -> bool:
    """Whether it is a resting order."""
    return order.intent.order_type != "MARKET"


def _is_entry(order: Order) -> bool:
    """Whether it rests for a strategy and may open or enlarge a position."""
    return _rests(order) and not order.is_external and not order.intent.reduce_only
