"""Compiles what can be compiled before it is needed, on all cores."""

import io
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import redirect_stderr
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

from engine.compiled import functions
from engine.compiled.loops import loop_of
from engine.indicators.catalog import INDICATORS

_MOST_PROCESSES = 8
_ENGINES = ("the backtester", "the live engine")


def compile_everything(say: Callable[[str], None]) -> None:
    """Compile engines and indicators; `say` gets a line of progress for each.

    What is compiled already is loaded, which takes a moment.
    """
    parts = all_parts()
    workers = max(1, min(os.cpu_count() or 1, _MOST_PROCESSES, len(parts)))
    say(f"Compiling {len(parts)} parts into {functions.CACHE_FOLDER}; this happens once for each version.")
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(compile_part, part): part for part in parts}
        for done, future in enumerate(as_completed(waiting), 1):
            future.result()
            say(f"  [{done}/{len(parts)}] {waiting[future]}")
    _mark().write_text(_made_by(), "utf-8")


def is_everything_compiled() -> bool:
    """Whether `compile_everything` has come to its end for these sources, with this Python and this numba."""
    try:
        return _mark().read_text("utf-8") == _made_by()
    except OSError:
        return False


def _mark() -> Path:
    return functions.CACHE_FOLDER / "everything.txt"


def _made_by() -> str:
    return f"Python {sys.version.split()[0]}, numba {version('numba')}\n"


def all_parts() -> list[str]:
    """Names of what there is to compile, the longest first. Strategies are made of indicators."""
    return [*_ENGINES, *(f"indicator {name}" for name in INDICATORS)]


def compile_part(part: str) -> None:
    """Compile one of `all_parts` into the folder on disk."""
    if part == _ENGINES[0]:
        _backtester()
    elif part == _ENGINES[1]:
        _live_engine()
    else:
        loop_of(INDICATORS[part.removeprefix("indicator ")].step)


def _backtester() -> None:
    """By a strategy that has a trade open at the end, and one that looks at a longer timeframe: both need
    functions of their own."""
    from engine.backtest.data.samples import dataset  # noqa: PLC0415  # in the process that needs it
    from engine.backtest.run import backtest  # noqa: PLC0415  # as above

    with redirect_stderr(io.StringIO()):  # it says that it compiles
        for name in ("ema_cross", "trend_filter"):
            backtest(name, dataset("sample-1h"))


def _live_engine() -> None:
    """A rehearsal goes from a candle to an order."""
    from engine.shell.configure import of_settings  # noqa: PLC0415  # in the process that needs it
    from engine.shell.rehearsal import Rehearsal  # noqa: PLC0415  # as above
    from nextbar.folder import defaults  # noqa: PLC0415  # as above
    from runtime.settings.load import parse_settings  # noqa: PLC0415  # as above

    settings = parse_settings(defaults() / "configs" / "demo.toml", "demo")
    Rehearsal(of_settings(settings, engine_id="aaaaaa", client_id_prefix="nbaaaaaa-"))
