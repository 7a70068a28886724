"""When somebody else reduces a position: its owner holds less, and is told so.

A manual close, a liquidation, a protective stop of the whole symbol, a kill of what no strategy holds: the
exchange's position and the sum of our fills agree, but the fill belongs to another than the position. What
was taken moves from him who traded to him who held, as a pair of adjustments that cancel out.
"""

from collections.abc import Iterable
from decimal import Decimal

from engine.account.state import AccountStateStore
from engine.model.records import Adjustment

OPERATOR = "operator"
"""Owner of the orders by which kill closes what no running strategy holds."""
ZERO = Decimal(0)


def settle_foreign(
    account: AccountStateStore, symbol: str, foreign: str, owners: Iterable[str], now_ns: int
) -> list[Adjustment]:
    """Adjustments that set the `foreign` owner's position off against the owners' opposite ones, in turn.

    They are applied to the account; the caller journals them. What is left over stays foreign.
    """
    by_kill = foreign == OPERATOR
    reason = "an operator's kill closed the position" if by_kill else "somebody else reduced the position"
    made: list[Adjustment] = []
    for owner in owners:
        theirs = account.strategy_position(foreign, symbol)
        left = theirs.qty_base
        held = account.strategy_position(owner, symbol)
        if left * held.qty_base >= ZERO:
            continue
        size = min(abs(left), abs(held.qty_base))
        taken = size if left > ZERO else -size
        pair = ((owner, taken, held.entry_price), (foreign, -taken, theirs.entry_price))
        for whose, qty, entry_price in pair:
            adjustment = Adjustment(
                symbol,
                whose,
                qty,
                entry_price,
                reason,
                f"position of {foreign}: {left}",
                now_ns,
                between_owners=True,
            )
            account.on_adjustment(adjustment)
            made.append(adjustment)
    return made
