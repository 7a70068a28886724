"""The command line of `validate_runner`."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from engine.backtest.data.configuration import ConfigError, located
from engine.backtest.data.loaders import DataError
from engine.backtest.data.output_folder import check_folder
from engine.backtest.parity import report as parity_report
from engine.backtest.parity.cases import CaseResult, Prepared, engines_of, prepare, run_case
from engine.backtest.parity.causes import likely_cause
from engine.backtest.parity.config import read_config
from engine.backtest.parity.divergence import first_divergence
from engine.backtest.parity.explained import Explained
from engine.backtest.parity.settings import case_lines
from engine.backtest.parity.tv_export import ExportError
from engine.backtest.runs.compile_notice import announce_compiling
from engine.backtest.runs.engines import Engine
from engine.strategies.calls import StrategyFault
from runtime.typer_refusals import PlainCommand

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command(cls=PlainCommand)
def main(
    config: Annotated[Path, typer.Option(help="JSON file of cases.")],
    reference: Annotated[
        list[str] | None, typer.Option(help="NAME=FILE: another trade list for that case.")
    ] = None,
    gaps: Annotated[
        str | None, typer.Option(help="Missing bars: refuse, keep (default) or fill; overrides the file.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for parity.json, pairs.csv and parity.html.")
    ] = None,
) -> None:
    """Reproduce TradingView trade lists and say where they first differ."""
    console = Console(soft_wrap=True, highlight=False)
    try:
        cases = read_config(located(config), {} if gaps is None else {"gaps": gaps})
        if out is not None:
            check_folder(out)
        prepared = prepare(cases, _references(reference or []))
        announce_compiling()
        runs = [_run(one) for one in prepared]
        explained = [one for run in runs for one in run]
        console.print(parity_report.table(explained))
        for run in runs:
            for line in case_lines(run[0].result):
                console.print(line, markup=False)
        for one in explained:
            for line in parity_report.explanation(one):
                console.print(line, markup=False)
        disagreeing = [run for run in runs if not _agree(run[0].result, run[-1].result)]
        for run in disagreeing:
            console.print(f"{run[0].result.case.name}: the two engines produce different trades")
        if out is not None:
            was_there = (out / "parity.json").is_file()
            parity_report.write(out, explained)
            more = ", replaces the report of an earlier run there" if was_there else ""
            console.print(f"written to {out}{more}", markup=False)
    except StrategyFault as e:
        print(f"{e.trace}\nvalidate_runner: {e}", file=sys.stderr)  # noqa: T201  # of a person's own code
        raise typer.Exit(2) from None
    except (ConfigError, DataError, ExportError) as e:
        print(f"validate_runner: {e}", file=sys.stderr)  # noqa: T201  # the one sentence a person gets
        raise typer.Exit(2) from None
    if disagreeing or any(one.result.comparison.parity < cases.min_parity for one in explained):
        raise typer.Exit(1)


def _run(prepared: Prepared) -> list[Explained]:
    """Run one case through every engine; identical results are explained once."""
    explained: list[Explained] = []
    for name, engine in engines_of(prepared.case).items():
        result = run_case(prepared, name, engine)
        twin = next((one for one in explained if _agree(one.result, result)), None)
        if twin is not None and twin.divergence is not None:
            explained.append(Explained(result, twin.divergence, twin.cause, like=twin.result.engine))
        else:
            explained.append(_explained(result, engine))
    return explained


def _explained(result: CaseResult, engine: Engine) -> Explained:
    divergence = first_divergence(result)
    if divergence is None:
        return Explained(result)
    return Explained(result, divergence, likely_cause(result, divergence, engine))


def _agree(one: CaseResult, other: CaseResult) -> bool:
    a, b = one.result, other.result
    return a.trades == b.trades and a.open_trades == b.open_trades


def _references(given: Sequence[str]) -> dict[str, Path]:
    found = {}
    for text in given:
        name, separator, path = text.partition("=")
        if not separator or not path:
            raise ConfigError(f"--reference {text}: expected NAME=FILE")
        found[name] = located(Path(path))
    return found
