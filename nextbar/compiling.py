"""Compiles what can be compiled before it is needed, on all cores."""

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context

from engine.compiled import functions
from engine.indicators.catalog import INDICATORS
from engine.strategies.base import SignalStrategy, registry

_MOST_PROCESSES = 8
_ENGINES = ("the backtester", "the live engine")


def compile_everything(say: Callable[[str], None]) -> None:
    """Compile engines, indicators and the project's strategies; `say` gets a line of progress for each.

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


def all_parts() -> list[str]:
    """Names of what there is to compile, the longest first."""
    indicators = [f"indicator {name}" for name in INDICATORS]
    strategies = [f"strategy {name}" for name in registry.names() if _has_step(name)]
    return [*_ENGINES, *strategies, *indicators]


def compile_part(part: str) -> None:
    """Compile one of `all_parts` into the folder on disk."""
    kind, _, name = part.partition(" ")
    if part == _ENGINES[0]:
        _backtester()
    elif part == _ENGINES[1]:
        _live_engine()
    elif kind == "indicator":
        functions.ready(INDICATORS[name].step)
    else:
        functions.ready(registry.get(name).step)  # type: ignore[union-attr]  # `all_parts` has only those


def _has_step(name: str) -> bool:
    cls = registry.get(name)
    return issubclass(cls, SignalStrategy) and callable(getattr(cls, "step", None))


def _backtester() -> None:
    from engine.backtest.data.samples import dataset  # noqa: PLC0415  # in the process that needs it
    from engine.backtest.run import backtest  # noqa: PLC0415  # as above

    backtest("ema_cross", dataset("sample-1h").part(0, 100))


def _live_engine() -> None:
    """A rehearsal goes from a candle to an order."""
    from engine.shell.configure import of_settings  # noqa: PLC0415  # in the process that needs it
    from engine.shell.rehearsal import Rehearsal  # noqa: PLC0415  # as above
    from nextbar.folder import defaults  # noqa: PLC0415  # as above
    from runtime.settings.load import parse_settings  # noqa: PLC0415  # as above

    settings = parse_settings(defaults() / "configs" / "demo.toml", "demo")
    Rehearsal(of_settings(settings, engine_id="aaaaaa", client_id_prefix="nbaaaaaa-"))
