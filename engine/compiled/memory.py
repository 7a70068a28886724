"""Arrays by address, for kernels that work on many of them.

numba hands an array to a function as seven numbers; a kernel that passes thirty arrays from call to call
spends 80 ns a bar on that alone. A record that holds their addresses is one number. Whoever puts an
address into a record keeps the array alive while the kernel runs, and answers for indices.
"""
# ruff: noqa: ANN401, ARG001  # numba has no types for what it hands to an intrinsic, and reads signatures

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numba.extending
import numba.np.arrayobj
import numpy as np

from engine.compiled.functions import State

View = TypeVar("View")
_ADDRESS = numba.int64


def record_at(dtype: np.dtype[np.void], view: type[View]) -> Callable[[int], View]:
    """The record at an address; `view` is the class that names its fields."""
    kind = numba.from_dtype(dtype)

    def at(typing_context: Any, address: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], context.get_value_type(kind))

        return kind(_ADDRESS), generate

    return cast(Callable[[int], View], numba.extending.intrinsic(at))


def _number_at(kind: Any) -> object:
    def at(typing_context: Any, address: Any, index: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            first = builder.inttoptr(arguments[0], context.get_data_type(kind).as_pointer())
            return builder.load(builder.gep(first, [arguments[1]]))

        return kind(_ADDRESS, numba.int64), generate

    return numba.extending.intrinsic(at)


float_at = cast(Callable[[int, int], float], _number_at(numba.float64))
"""Element `index` of the float64 array at an address."""

int_at = cast(Callable[[int, int], int], _number_at(numba.int64))
"""Element `index` of the int64 array at an address."""

byte_at = cast(Callable[[int, int], int], _number_at(numba.uint8))
"""Element `index` of the uint8 array at an address."""


def _floats_at(typing_context: Any, address: Any, count: Any) -> Any:
    kind = numba.types.Array(numba.float64, 1, "C")

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = numba.np.arrayobj.make_array(kind)(context, builder)
        eight = context.get_constant(numba.types.intp, 8)
        numba.np.arrayobj.populate_array(
            array,
            data=builder.inttoptr(arguments[0], array.data.type),
            shape=[arguments[1]],
            strides=[eight],
            itemsize=eight,
            meminfo=None,
        )
        return array._getvalue()

    return kind(_ADDRESS, numba.int64), generate


floats_at = cast(Callable[[int, int], State], numba.extending.intrinsic(_floats_at))
"""The float64 array of `count` elements at an address."""
