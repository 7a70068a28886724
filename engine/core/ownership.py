"""Whose position it is: what somebody else took away is settled, what nobody looks after is named."""

from engine.account.attribution import OPERATOR, settle_foreign
from engine.account.state import AccountStateStore
from engine.execution.trade_executor import TradeExecutor
from engine.model.cause import Cause
from engine.model.config import EngineConfig
from engine.model.context import Clock, Outbox
from engine.model.lots import plain
from engine.model.positions import Position
from engine.model.records import EXTERNAL, LOST
from engine.strategies.manager import StrategyManager


class Ownership:
    """Positions and their owners, as the configuration knows them."""

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        out: Outbox,
        account: AccountStateStore,
        strategies: StrategyManager,
        trades: TradeExecutor,
    ) -> None:
        self._config = config
        self._clock = clock
        self._out = out
        self._account = account
        self._strategies = strategies
        self._trades = trades
        self._has_told = False
        self._leaving: dict[tuple[str, str], str] = {}

    def settle(self, symbol: str) -> None:
        """What somebody else, or the operator, took away from a position, its owner no longer has."""
        owners = [slot.owner for slot in self._strategies.slots if slot.symbol == symbol]
        gone = [owner for owner, position in self._left_behind() if position.symbol == symbol]
        now_ns = self._clock.now_ns
        made = settle_foreign(self._account, symbol, OPERATOR, [EXTERNAL, *gone, *owners], now_ns)
        made += settle_foreign(self._account, symbol, EXTERNAL, [*owners, *gone], now_ns)
        for adjustment in made:
            self._out.append(adjustment)
        if made:
            self._trades.on_position_adjusted(symbol)

    def unmanaged(self) -> list[tuple[str, Position]]:
        """Positions that no strategy of the configuration looks after, with their owners."""
        return [
            (owner, position)
            for owner, position in self._account.strategy_positions()
            if position.qty_base and self._strategies.slot(owner, position.symbol) is None
        ]

    def tell_left_behind(self) -> None:
        """Once: positions of strategies that are no longer configured, and what to do about them; and what
        somebody else holds."""
        if not self._has_told:
            self._has_told = True
            for sentence in (*self.left_behind(), *self._of_others()):
                self._out.notice("warning", sentence)

    def _of_others(self) -> list[str]:
        return [
            f"somebody else holds {plain(position.qty_base)} {position.symbol}: no strategy looks after it, "
            "and entries come on top of it"
            for owner, position in self.unmanaged()
            if owner == EXTERNAL
        ]

    def left_behind(self, symbol: str = "") -> list[str]:
        """Of each such position (on that symbol): whose it is, and what to type."""
        return [
            self._sentence(owner, position)
            for owner, position in self.orphans()
            if symbol in {"", position.symbol}
        ]

    def orphans(self) -> list[tuple[str, Position]]:
        """Positions of strategies that are no longer configured, with their owners."""
        # Those of LOST orders are told by themselves, and by what they are mended.
        return [one for one in self._left_behind() if one[0] != LOST]

    def begin_leaving(self, strategy: str, symbol: str, cause: str) -> list[tuple[str, str]]:
        """Somebody said to leave what that strategy left behind (on that symbol); whose and where it is."""
        keys = [
            (owner, position.symbol)
            for owner, position in self.orphans()
            if owner == strategy and symbol in {"", position.symbol}
        ]
        self._leaving.update(dict.fromkeys(keys, cause))
        return keys

    @property
    def leaving(self) -> dict[tuple[str, str], str]:
        """Why positions left behind are to be left, by owner and symbol, for as long as they are held."""
        held = {(owner, position.symbol) for owner, position in self.orphans()}
        return {key: cause for key, cause in self._leaving.items() if key in held}

    def restore_leaving(self, owner: str, symbol: str, cause: str) -> None:
        """From a snapshot."""
        self._leaving[owner, symbol] = cause

    def forget_leaving(self, owner: str, symbol: str) -> None:
        """It was told to resume."""
        self._leaving.pop((owner, symbol), None)

    def has_entered(self, owner: str, symbol: str) -> None:
        """What was said before an entry of that owner is not meant for the position it makes."""
        self._leaving.pop((owner, symbol), None)

    def leave_as_told(self) -> None:
        """After a restart the word still holds."""
        for key, cause in self.leaving.items():
            self._trades.exits.leave_as_told(*key, Cause.parse(cause))

    def _sentence(self, owner: str, position: Position) -> str:
        name, _, identity = owner.partition(":")
        now = [
            one.owner
            for one in self._strategies.slots
            if one.spec.name == name and one.symbol == position.symbol
        ]
        leave = self._config.ctl(f"flatten --strategy {owner} --symbol {position.symbol}")
        keep = f'id = "{identity}" given to {now[0]} takes it over' if now else "or put the strategy back"
        return (
            f"{owner} is not in the configuration and holds {plain(position.qty_base)} {position.symbol}: "
            f"nothing looks after it but its resting orders, and entries against it wait. {leave} leaves it; "
            f"{keep}"
        )

    def _left_behind(self) -> list[tuple[str, Position]]:
        return [one for one in self.unmanaged() if one[0] not in {EXTERNAL, OPERATOR}]
