"""Output folders that are complete or not there: files are written aside and moved at the end."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.backtest.loaders import DataError


@contextmanager
def folder_in_one_step(out: Path) -> Iterator[Path]:
    """A scratch folder inside `out`; when the block ends well its files move up into `out`.

    After an error nothing of it is left, nor is `out` if it was not there before.
    """
    was_there = out.is_dir()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise DataError(f"{out}: cannot be made a folder for the results ({e.strerror})") from e
    try:
        with tempfile.TemporaryDirectory(dir=out, prefix=".part-") as scratch:
            yield Path(scratch)
            for path in sorted(path for path in Path(scratch).rglob("*") if path.is_file()):
                target = out / path.relative_to(scratch)
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
    except OSError as e:
        raise DataError(f"{out}: the results cannot be written ({e.strerror or e})") from e
    finally:
        if not was_there and out.is_dir() and not any(out.iterdir()):
            out.rmdir()
