"""The garbage collector of programs that run once and end."""

import atexit
import gc

_YOUNG_OBJECTS = 200_000


def begin() -> None:
    """Collect rarely, and not at the end; call it before the large imports.

    numba and pyarrow make hundreds of thousands of objects that stay: going through them again and again
    takes a quarter of a short run. What a run makes itself is collected as before, in larger portions.
    """
    gc.set_threshold(_YOUNG_OBJECTS)
    atexit.register(gc.freeze)
