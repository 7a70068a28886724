"""Names in the class of a strategy that nothing would look at: a misspelt stop trades without a stop."""

import inspect
from collections.abc import Iterator
from dataclasses import fields
from types import CodeType

from engine.model.exit_rules import ExitRules
from engine.model.sentences import SentenceError
from engine.strategies.param import Param, params_of
from runtime.suggestions import did_you_mean

_LIKENESS = 0.75
"""A value of one's own, such as `slow_length`, is a little like a parameter `length`."""
_KNOWN = ("exits", "name", "define", "memory_bars")
_PLAIN = (int, float, str, tuple, list, dict, type(None))
_IN_EXITS = "exit rules are given by exits = nb.ExitRules({rule})"
_RULES = "write define(self, bar), which returns nb.Rules({rule}=condition)"
_DEFINE = "write define(self, bar), which is called once and returns nb.Rules(...)"
_TIMEFRAME = 'the bars that a backtest is given decide; bar.on("1h") has longer ones'
_TRAILING = _IN_EXITS.format(rule="trailing_percent=2.0")
_BOTH_SIDES = "a strategy goes short where nb.Rules(enter_short=condition) says so"
_OF_OTHERS = {
    "stoploss": _IN_EXITS.format(rule="stop_loss_percent=0.5") + ", in percent above zero",
    "stop_loss": _IN_EXITS.format(rule="stop_loss_percent=0.5") + ", in percent above zero",
    "take_profit": _IN_EXITS.format(rule="take_profit_percent=1.0") + ", in percent above zero",
    "custom_stoploss": "nb.Rules(stop_long=level, stop_short=level) gives the levels of a stop",
    "trailing_stop": _TRAILING,
    "trailing_stop_positive": _TRAILING,
    "trailing_stop_positive_offset": _IN_EXITS.format(rule="trailing_after_percent=3.0"),
    "timeframe": _TIMEFRAME,
    "ticker_interval": _TIMEFRAME,
    "startup_candle_count": "the warm-up follows from the series; memory_bars = 200 asks for more",
    "can_short": _BOTH_SIDES,
    "populate_indicators": _DEFINE,
    "populate_entry_trend": _RULES.format(rule="enter_long"),
    "populate_buy_trend": _RULES.format(rule="enter_long"),
    "populate_exit_trend": _RULES.format(rule="exit_long"),
    "populate_sell_trend": _RULES.format(rule="exit_long"),
    "init": _DEFINE,
    "next": _DEFINE,
}
"""What to write instead of what strategies of other programs have."""


def check_class(cls: type, base: type) -> None:
    """`SentenceError` for a name in the class that nothing reads and that stands for something else.

    `base` is the class of all strategies. A value that code of the class reads is one of its own.
    """
    own = vars(cls)
    _check_define(cls)
    inherited = {name for one in cls.__mro__[1:] for name in vars(one)}
    read = set(_read_by(cls, base))
    for name, value in own.items():
        if name.startswith("_") or name in inherited or name in _KNOWN:
            continue
        said = _about(cls, name, value, is_read=name in read)
        if said:
            raise SentenceError(f"{cls.__name__}.{name}: {said}")


def _about(cls: type, name: str, value: object, *, is_read: bool) -> str:
    """What is wrong with one name; "" where it may stay."""
    if isinstance(value, ExitRules):
        return "exit rules are called exits; write exits = nb.ExitRules(...)"
    if is_read or isinstance(value, type) or _is_used(cls, value):
        return ""
    if isinstance(value, Param):
        return _misspelt(name, [one for one in params_of(cls) if one not in vars(cls)])
    if name in _OF_OTHERS:
        return f"nothing looks at it; {_OF_OTHERS[name]}"
    if name in {one.name for one in fields(ExitRules)}:
        return f"nothing looks at it; {_IN_EXITS.format(rule=f'{name}=...')}"
    if name.isupper() or not isinstance(value, _PLAIN):
        return ""
    return _misspelt(name, [*params_of(cls), *_KNOWN])


def _misspelt(name: str, known: list[str]) -> str:
    hint = did_you_mean(name, known, likeness=_LIKENESS)
    return f"nothing looks at it{hint}" if hint else ""


def _is_used(cls: type, value: object) -> bool:
    """Whether exit rules or a parameter of the class have been made with the value."""
    exits = getattr(cls, "exits", None)
    made = [(getattr(exits, one.name), one.default) for one in fields(ExitRules)] if exits else []
    used = [given for given, default in made if given is not default]
    for one in vars(cls).values():
        if isinstance(one, Param):
            used += [one.default, *one.bounds.values()]
    return value is not None and any(value is one for one in used)


def _check_define(cls: type) -> None:
    """`SentenceError` for a `define` that cannot be called with the bar."""
    define = vars(cls).get("define")
    if not inspect.isfunction(define):
        return
    try:
        inspect.signature(define).bind(None, None)
    except TypeError:
        taken = f"define{inspect.signature(define).replace(return_annotation=inspect.Signature.empty)}"
        raise SentenceError(f"{cls.__name__}: {taken} was found, define(self, bar) was expected") from None


def _read_by(cls: type, base: type) -> Iterator[str]:
    """All names and texts in the code of the class and of those between it and `base`."""
    for one in cls.__mro__:
        if one in base.__mro__:
            continue
        for member in vars(one).values():
            for part in ("fget", "func", "__func__"):
                member = getattr(member, part, member)  # noqa: PLW2901  # of a property or a static method
            code = getattr(inspect.unwrap(member) if callable(member) else member, "__code__", None)
            if isinstance(code, CodeType):
                yield from _names_in(code)


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _names_in(one)
        elif isinstance(one, str):
            yield one
