"""The outputs of an indicator that has several, by name. All together they are no series."""

from collections import namedtuple
from typing import TYPE_CHECKING, NoReturn

from engine.indicators.stream import Indicator
from engine.series.nodes import SeriesError
from engine.series.refused import sentence_about_outputs
from runtime.suggestions import did_you_mean


class Outputs(tuple):  # type: ignore[type-arg]  # of the fields that the class made below has
    """What refuses to be taken for one series, with the names of those it has."""

    __slots__ = ()
    _fields: tuple[str, ...] = ()
    _called: str = ""

    def _refuse(self, *_: object) -> NoReturn:
        raise SeriesError(sentence_about_outputs(self._called, self._fields))

    def __eq__(self, other: object) -> bool:
        return tuple.__eq__(self, other) if isinstance(other, tuple) else self._refuse()

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__
    __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _refuse
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _refuse
    __and__ = __rand__ = __or__ = __ror__ = __xor__ = __rxor__ = _refuse
    __neg__ = __pos__ = __abs__ = __invert__ = __bool__ = _refuse

    if not TYPE_CHECKING:  # which would take each name for one that it has

        def __getattr__(self, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(name)
            hint = did_you_mean(name, self._fields, likeness=0.5)
            raise SeriesError(f"{self._called} has no output {name}{hint}; it has {', '.join(self._fields)}")


def outputs_of(cls: type[Indicator]) -> type[tuple]:  # type: ignore[type-arg]  # as above
    """The named tuple of its outputs."""
    named = namedtuple(cls.__name__, cls.outputs)  # type: ignore[misc]  # noqa: PYI024  # names are data
    # Ours come before those of tuple, the fields of the named tuple are found all the same.
    return type(
        cls.__name__, (Outputs, named), {"_fields": cls.outputs, "_called": f"ta.{cls.name}", "__slots__": ()}
    )
