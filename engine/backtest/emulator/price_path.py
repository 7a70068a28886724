"""TradingView's assumption about the way price takes inside a bar (pine_semantics 3.3)."""


def path(open_: float, high: float, low: float, close: float) -> tuple[float, float, float, float]:
    """The four nodes price visits in turn, joined by straight moves.

    The high comes first only when the open is strictly nearer to it; on a tie the low does.
    """
    if high - open_ < open_ - low:
        return open_, high, low, close
    return open_, low, high, close
