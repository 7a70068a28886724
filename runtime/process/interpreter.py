"""What `python -m ...` says in a Python without nextbar's packages."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The folder that holds our packages: the checkout, or where a wheel was installed."""


def insist_on_packages() -> None:
    """One sentence instead of a traceback when a program of ours is started by the wrong Python.

    Called where a package begins. While that happens for `python -m`, the name of the program is "-m";
    whoever imports the package from elsewhere sees the import fail as usual.
    """
    if sys.argv[:1] != ["-m"]:
        return
    try:
        import msgspec  # noqa: F401, PLC0415  # any of the packages will do
    except ModuleNotFoundError:
        python = r".venv\Scripts\python" if sys.platform == "win32" else ".venv/bin/python"
        sys.exit(
            f"this Python ({sys.executable}) lacks nextbar's packages: in {ROOT} use {python}, "
            "which the first python run.py makes"
        )
