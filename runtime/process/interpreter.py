"""The message of `python -m ...` in a Python without the required packages."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds our packages: the checkout, or where a wheel was installed."""


def is_checkout() -> bool:
    """Whether `ROOT` is a clone or a copy of the sources, whose folders belong to the user."""
    return (ROOT / "run.py").is_file() and (ROOT / "configs").is_dir()


def insist_on_packages() -> None:
    """One sentence instead of a traceback when `python -m` runs in the wrong Python.

    Called when a package is imported. During `python -m` the name of the program is "-m"; any other import
    of the package fails as usual.
    """
    if sys.argv[:1] != ["-m"]:
        return
    try:
        import msgspec  # noqa: F401, PLC0415  # any of the packages serves
    except ModuleNotFoundError:
        python = r".venv\Scripts\python" if sys.platform == "win32" else ".venv/bin/python"
        sys.exit(
            f"this Python ({sys.executable}) lacks nextbar's packages: in {ROOT} use {python}, "
            "which the first python run.py creates"
        )
