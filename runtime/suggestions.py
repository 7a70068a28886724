"""The name that was perhaps meant, for every sentence that refuses one."""

import difflib
from collections.abc import Collection, Iterable

SYMBOL_LIKENESS = 0.8
"""Most symbols end alike, so each is a little like every other."""


def did_you_mean(name: str, known: Iterable[str], *, most: int = 1, likeness: float = 0.6) -> str:
    """ " (did you mean kernel?)", to follow the refused name; "" where no known name is like it.

    Up to `most` names; `likeness` from 0 to 1 is how alike they must be at least.
    """
    by_folded = {one.casefold(): one for one in known}
    close = difflib.get_close_matches(name.casefold(), by_folded, most, likeness)
    return f" (did you mean {' or '.join(by_folded[one] for one in close)}?)" if close else ""


def allowed(name: str, known: Collection[str], *, likeness: float = 0.6) -> str:
    """ " (did you mean rsi?); allowed: cci, rsi", to end the sentence that refuses a name."""
    return f"{did_you_mean(name, known, likeness=likeness)}; allowed: {', '.join(known) or 'none'}"
