"""Sentences about arguments by name that a function or a class does not take."""

from collections.abc import Callable, Collection, Mapping
from functools import wraps
from inspect import signature
from typing import Any, TypeVar

from engine.model.sentences import SentenceError
from runtime.suggestions import did_you_mean

Called = TypeVar("Called", bound=Callable[..., Any])
"""A function or a class; type checkers see it as it was."""


def names_checked(shown: str, meant: Mapping[str, str] | None = None) -> Callable[[Called], Called]:
    """Decorator: a `SentenceError` for an argument by an unknown name, which a TypeError said before.

    `shown` is how people call it, `meant` what other libraries' names are here. It goes above `dataclass`.
    """

    def checked(called: Any) -> Any:  # noqa: ANN401  # a function or a class
        is_class = isinstance(called, type)
        function = called.__init__ if is_class else called
        known = [name for name in signature(function).parameters if name != "self"]

        @wraps(function)
        def call(*args: Any, **by_name: Any) -> Any:  # noqa: ANN401  # as they are given
            for name in by_name:
                if name not in known:
                    said = unknown(shown, name, known, meant)
                    raise SentenceError(said if "?" in said else f"{said}; it takes {', '.join(known)}")
            return function(*args, **by_name)

        if not is_class:
            return call
        called.__init__ = call
        return called

    return checked


def unknown(shown: str, name: str, known: Collection[str], meant: Mapping[str, str] | None = None) -> str:
    """ "nb.param has no min (did you mean ge?)"."""
    other = (meant or {}).get(name)
    return f"{shown} has no {name}" + (
        f" (did you mean {other}?)" if other in known else did_you_mean(name, known)
    )
