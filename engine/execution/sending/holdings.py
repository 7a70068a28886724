"""Who trades which symbol, and what each of them holds there."""

from decimal import Decimal

from engine.account.attribution import OPERATOR
from engine.account.state import AccountStateStore

ZERO = Decimal(0)


class Holdings:
    """The strategies of the configuration by symbol, and their positions. The operator holds the rest."""

    def __init__(self, account: AccountStateStore) -> None:
        self._account = account
        self._owners: dict[str, list[str]] = {}

    def add(self, owner: str, symbol: str) -> None:
        """That strategy trades that symbol."""
        self._owners.setdefault(symbol, []).append(owner)

    def is_shared(self, symbol: str) -> bool:
        """Whether several strategies trade it."""
        return len(self._owners.get(symbol, ())) > 1

    def held(self, owner: str, symbol: str) -> Decimal:
        """What that owner can leave, signed; for the operator what no running strategy holds."""
        if owner != OPERATOR:
            return self._account.strategy_position(owner, symbol).qty_base
        owners = self._owners.get(symbol, ())
        owned = sum((self._account.strategy_position(one, symbol).qty_base for one in owners), ZERO)
        return self._account.position(symbol).qty_base - owned
