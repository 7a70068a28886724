"""Writes output folders in one step: files are written to a scratch folder and moved at the end."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from engine.backtest.data.loaders import DataError


def check_folder(out: Path, inside: Sequence[str] = ()) -> None:
    """Raise `DataError` where results could not be written into `out`; leaves nothing behind.

    `inside` are folders that will be made in it.
    """
    for path in (out, *(out / name for name in inside)):
        if path.exists() and not path.is_dir():
            raise DataError(f"{path}: is a file, expected a folder for the results")
    nearest = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise DataError(f"{out}: cannot be used as a folder for the results ({nearest} is a file)")
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as e:
        raise DataError(f"{out}: the results cannot be written ({e.strerror or e})") from e


@contextmanager
def folder_in_one_step(out: Path) -> Iterator[Path]:
    """A scratch folder inside `out`; when the block ends well its files move up into `out`.

    After an error nothing of it is left, nor is `out` if it was not there before.
    """
    was_there = out.is_dir()
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise DataError(f"{out}: cannot be used as a folder for the results ({e.strerror})") from e
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
