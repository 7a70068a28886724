"""Who owns which position: settles what others closed, reports positions that no strategy manages."""

from engine.account.attribution import OPERATOR, settle_foreign
from engine.account.state import AccountStateStore
from engine.execution.trade_executor import TradeExecutor
from engine.model.cause import Cause
from engine.model.config import EngineConfig
from engine.model.context import Clock, Outbox
from engine.model.lots import plain
from engine.model.operator_state import OperatorState, OwnerKey
from engine.model.owners import identity_of, strategy_name
from engine.model.positions import Position
from engine.model.records import EXTERNAL, LOST
from engine.strategies.manager import StrategyManager


class Ownership:
    """Positions and their owners, by the configuration."""

    def __init__(
        self,
        config: EngineConfig,
        clock: Clock,
        out: Outbox,
        operator: OperatorState,
        account: AccountStateStore,
        strategies: StrategyManager,
        trades: TradeExecutor,
    ) -> None:
        self._config = config
        self._clock = clock
        self._out = out
        self._operator = operator
        self._account = account
        self._strategies = strategies
        self._trades = trades
        self._has_told = False

    def settle(self, symbol: str) -> None:
        """Take from each owner what somebody else, or the operator, has closed of its position."""
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
        """Positions that no configured strategy manages, with their owners."""
        return [
            (owner, position)
            for owner, position in self._account.strategy_positions()
            if position.qty_base and self._strategies.slot(owner, position.symbol) is None
        ]

    def tell_left_behind(self) -> None:
        """Report once: positions of strategies that are no longer configured, with what to do about them, and
        what somebody else holds."""
        if not self._has_told:
            self._has_told = True
            for sentence in (*self.left_behind(), *self._of_others()):
                self._out.notice("warning", sentence)

    def _of_others(self) -> list[str]:
        return [
            f"somebody else holds {plain(position.qty_base)} {position.symbol}: no strategy manages it, "
            "and entries add to it"
            for owner, position in self.unmanaged()
            if owner == EXTERNAL
        ]

    def left_behind(self, symbol: str = "") -> list[str]:
        """A sentence about each such position (on that symbol): its owner, and what to type."""
        return [
            self._sentence(owner, position)
            for owner, position in self.orphans()
            if symbol in {"", position.symbol}
        ]

    def orphans(self) -> list[tuple[str, Position]]:
        """Positions of strategies that are no longer configured, with their owners."""
        # Those of LOST orders are reported separately, with the command that repairs them.
        return [one for one in self._left_behind() if one[0] != LOST]

    def left_by(self, strategy: str, symbol: str) -> list[OwnerKey]:
        """Owner and symbol of each position that this strategy left behind (on that symbol)."""
        return [
            (owner, position.symbol)
            for owner, position in self.orphans()
            if owner == strategy and symbol in {"", position.symbol}
        ]

    @property
    def leaving(self) -> dict[OwnerKey, Cause]:
        """The commands to close positions left behind, by owner and symbol, while they are held."""
        held = {(owner, position.symbol) for owner, position in self.orphans()}
        return {key: cause for key, cause in self._operator.to_leave.items() if key in held}

    def forget_left(self) -> None:
        """After a restart: a position left behind that is no longer held has been closed."""
        for key in self._operator.to_leave:
            if not self._account.strategy_position(*key).qty_base:
                self._operator.forget_left_behind(key)

    def leave_as_told(self) -> None:
        """After a restart: go on closing what the operator said to close."""
        for key, cause in self.leaving.items():
            self._trades.exits.leave_as_told(*key, cause)

    def _sentence(self, owner: str, position: Position) -> str:
        name, identity = strategy_name(owner), identity_of(owner)
        now = [
            one.owner
            for one in self._strategies.slots
            if strategy_name(one.owner) == name and one.symbol == position.symbol
        ]
        leave = self._config.ctl(f"flatten --strategy {owner} --symbol {position.symbol}")
        keep = f'id = "{identity}" given to {now[0]} takes it over' if now else "or put the strategy back"
        return (
            f"{owner} is not in the configuration and holds {plain(position.qty_base)} {position.symbol}: "
            f"only its resting orders protect it, and entries against it are blocked. {leave} closes it; "
            f"{keep}"
        )

    def _left_behind(self) -> list[tuple[str, Position]]:
        return [one for one in self.unmanaged() if one[0] not in {EXTERNAL, OPERATOR}]
