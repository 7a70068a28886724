"""Garbage collection in programs that run once and end."""

import atexit
import gc

_YOUNG_OBJECTS = 200_000


def begin() -> None:
    """Collect rarely, and not at exit; call this before the large imports.

    numba and pyarrow create hundreds of thousands of objects that stay: scanning them again and again takes
    a quarter of a short run. Objects of the run itself are still collected, in larger batches.
    """
    gc.set_threshold(_YOUNG_OBJECTS)
    atexit.register(gc.freeze)
