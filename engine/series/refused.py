"""What to write instead of names that other libraries have and a series has not."""

from collections.abc import Sequence
from difflib import get_close_matches

from engine.indicators.catalog import INDICATORS
from engine.series.other_names import ours, written

_NO_ARRAY = "it is no array or frame and holds no values; functions of ta take it, such as ta.sma(x, length)"
_WHOLE = "it would be taken over the whole history, the future too; ta.highest and ta.lowest look at a window"
_INSTEAD = {
    "shift": "x[1] is the value one bar ago; there is no way to the future",
    "iloc": "x[1] is the value one bar ago; there is no way to the future",
    "loc": "x[1] is the value one bar ago; there is no way to the future",
    "iat": "x[1] is the value one bar ago; there is no way to the future",
    "tail": "x[1] is the value one bar ago",
    "head": "x[1] is the value one bar ago",
    "rolling": "ta has the functions over a window: ta.sma, ta.highest, ta.lowest, ta.stdev, ta.sum",
    "expanding": "ta.cum(x) adds up all bars so far",
    "ewm": "ta.ema(x, length) or ta.rma(x, length)",
    "mean": "ta.sma(x, length); the mean of the whole history would know the future",
    "std": "ta.stdev(x, length); that of the whole history would know the future",
    "min": "ta.lowest(x, length), or nb.min(a, b) of two series",
    "max": "ta.highest(x, length), or nb.max(a, b) of two series",
    "sum": "ta.sum(x, length) or ta.cum(x)",
    "cumsum": "ta.cum(x)",
    "median": "ta.median(x, length)",
    "quantile": "ta.percentile_linear_interpolation(x, length, percent)",
    "rank": "ta.percentrank(x, length)",
    "diff": "ta.change(x, length), or x - x[1]",
    "pct_change": "x / x[1] - 1",
    "fillna": "nb.nz(x, 0.0)",
    "ffill": "ta.valuewhen(condition, x) keeps a value until the next",
    "bfill": "a value cannot be filled from the future; nb.nz(x, 0.0) fills with a number",
    "interpolate": "a value cannot be filled from the future; nb.nz(x, 0.0) fills with a number",
    "isna": "nb.na(x)",
    "isnull": "nb.na(x)",
    "notna": "~nb.na(x)",
    "any": "combine conditions with |",
    "all": "combine conditions with &",
    "abs": "nb.abs(x) or abs(x)",
    "clip": "nb.min(nb.max(x, least), most)",
    "where": "nb.where(condition, a, b)",
    "mask": "nb.where(condition, a, b)",
    "apply": "@ta.indicator makes a function of your own over one bar at a time",
    "map": "@ta.indicator makes a function of your own over one bar at a time",
    "isin": '(x == 9) | (x == 10), or x >= 9 with &; of hours also bar.session("09:00-11:00")',
    "between": "(x >= least) & (x <= most)",
    "astype": "a number of a series is a float; nb.floor(x) is a whole one, x > 0 a condition",
    "resample": 'bar.on("1h") has the bars of another timeframe',
    "merge": 'bar.on("1h") has the bars of another timeframe, joined as of their close',
    "reindex": 'bar.on("1h") has the bars of another timeframe, joined as of their close',
    "values": "there are none while it is defined; name it in plot={...}, and result.plots() has them",
    "to_numpy": "there are none while it is defined; name it in plot={...}, and result.plots() has them",
    "index": "bar.time is the open time of a bar, bar.index its number",
    "groupby": 'a group would know its later bars; bar.on("1d") has closed days, ta.prior_period them, too',
    "transform": "@ta.indicator makes a function of your own over one bar at a time",
    "pipe": "@ta.indicator makes a function of your own over one bar at a time",
    "idxmax": "ta.highestbars(x, length); that of the whole history would know the future",
    "idxmin": "ta.lowestbars(x, length); that of the whole history would know the future",
    "argmax": "ta.highestbars(x, length); that of the whole history would know the future",
    "argmin": "ta.lowestbars(x, length); that of the whole history would know the future",
    "cummax": "nb.max(x, ...) of two series, or ta.highest(x, length)",
    "cummin": "nb.min(x, ...) of two series, or ta.lowest(x, length)",
    "describe": _WHOLE,
    "nlargest": _WHOLE,
    "nsmallest": _WHOLE,
    "dt": "bar.hour, bar.weekday and bar.hour_in(time zone) are parts of the time",
    "last": "x is the value on the bar at hand, x[1] the one before",
    "next": "there is no way to the future; x[1] is the value one bar ago",
    "tolist": _NO_ARRAY,
    "_typ": _NO_ARRAY,
    "dtype": _NO_ARRAY,
    "ndim": _NO_ARRAY,
    "shape": _NO_ARRAY,
    "size": _NO_ARRAY,
    "columns": _NO_ARRAY,
    "name": "plot={...} of nb.Rules names a series",
}


def sentence_about(name: str) -> str:
    """One sentence about an attribute that a series has not."""
    if name in _INSTEAD:
        return f"a series has no {name}: {_INSTEAD[name]}"
    if name in INDICATORS or ours(name):
        return f"a series has no {name}: {_written(name)}"
    near = get_close_matches(name, _INSTEAD, 1)
    hint = f" (did you mean {near[0]}? {_INSTEAD[near[0]]})" if near else ""
    return f"a series has no {name}; it has + - * / %, comparisons, & | ~ and x[bars ago]{hint}"


def sentence_about_bar(name: str, known: list[str]) -> str:
    """One sentence about an attribute that the bar has not."""
    if name in _INSTEAD:
        return f"the bar has no {name}; of one of its series, such as bar.close: {_INSTEAD[name]}"
    if name in INDICATORS or ours(name):
        return f"the bar has no {name}: {_written(name, 'bar.close')}"
    near = get_close_matches(name, known, 1)
    if near:
        return f"the bar has no {name} (did you mean {near[0]}?)"
    return f"the bar has no {name}; it has {', '.join(known)}"


def sentence_about_outputs(called: str, outputs: Sequence[str]) -> str:
    """One sentence where one of several outputs was expected."""
    return f"{called} has several outputs, name one: {', '.join(f'.{name}' for name in outputs)}"


def _written(name: str, first: str = "x") -> str:
    return f"write {written(INDICATORS[name], first)}" if name in INDICATORS else ours(name)
