"""A case of parity with the explanation of its first divergence."""

from dataclasses import dataclass

from engine.backtest.parity.cases import CaseResult
from engine.backtest.parity.causes import Cause
from engine.backtest.parity.divergence import Divergence


@dataclass(frozen=True, slots=True)
class Explained:
    """A case's result with the explanation of its first divergence, if there is one.

    `like` names the engine that was explained already and made the same list.
    """

    result: CaseResult
    divergence: Divergence | None = None
    cause: Cause | None = None
    like: str = ""
