"""Arrow columns as numpy arrays and back, and Parquet read, without the import of pandas.

pyarrow imports pandas for its own `to_numpy` and `array`: 0.3 s of processor time for nothing.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
from numpy.typing import NDArray

_KINDS = {"int64": np.int64, "double": np.float64, "int8": np.int8}


def read_parquet(path: Path) -> pa.Table:
    """The whole file; on one thread, which costs less processor time than many.

    Raises ArrowInvalid or OSError as pyarrow does.
    """
    with pa_parquet.ParquetFile(path) as file:
        return file.read(use_threads=False)


def numbers(column: pa.ChunkedArray) -> NDArray[Any]:
    """A column of int64 or float64 without nulls; shares its memory where it is in one piece."""
    kind = np.dtype(_KINDS[str(column.type)])
    parts = [
        np.frombuffer(chunk.buffers()[1], kind, len(chunk), chunk.offset * kind.itemsize)
        for chunk in column.chunks
        if len(chunk)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0, kind), *parts])


def column(values: NDArray[np.generic]) -> pa.Array:
    """An Arrow array of int64, float64 or int8 numbers."""
    values = np.ascontiguousarray(values)
    kind = next(name for name, known in _KINDS.items() if known == values.dtype)
    return pa.Array.from_buffers(pa.type_for_alias(kind), len(values), [None, pa.py_buffer(values)])


def texts(codes: NDArray[np.int8], words: Sequence[str]) -> pa.DictionaryArray:
    """A text column from the number of each row's word."""
    encoded = [word.encode() for word in words]
    ends = np.cumsum([0, *(len(word) for word in encoded)]).astype(np.int32)
    dictionary = pa.StringArray.from_buffers(
        len(encoded), pa.py_buffer(ends.tobytes()), pa.py_buffer(b"".join(encoded))
    )
    return pa.DictionaryArray.from_arrays(column(codes), dictionary)
