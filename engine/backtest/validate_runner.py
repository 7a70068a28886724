"""Validates the engines against TradingView's trade lists.

    python -m engine.backtest.validate_runner --config FILE [--reference NAME=FILE ...] [--out DIR]

Exit code 0: every case reached `min_parity`; 1: one did not; 2: the input cannot be used.
"""

import csv
import json
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TextIO

import typer
from rich.console import Console
from rich.table import Table

from engine.backtest.loaders import DataError
from engine.backtest.parity import Pair
from engine.backtest.tv_export import ExportError
from engine.backtest.validate_cases import CaseResult, engines, prepare, run_case
from engine.backtest.validate_config import ConfigError, read_config

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    config: Annotated[Path, typer.Option(help="JSON file of cases.")],
    reference: Annotated[
        list[str] | None, typer.Option(help="NAME=FILE: another trade list for that case.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for parity.json, pairs.csv and the page.")] = None,
) -> None:
    """Reproduce TradingView trade lists and say where they first differ."""
    try:
        cases = read_config(config)
        prepared = prepare(cases, _references(reference or []))
        results = [
            run_case(case, bars, name, engine)
            for case, bars in prepared
            for name, engine in engines().items()
        ]
    except (ConfigError, DataError, ExportError, ValueError) as e:
        print(f"validate_runner: {e}", file=sys.stderr)  # noqa: T201  # the one sentence a person gets
        raise typer.Exit(2) from None
    Console().print(_table(results))
    if out is not None:
        _write(out, results)
    if any(result.comparison.parity < cases.min_parity for result in results):
        raise typer.Exit(1)


def _references(given: Sequence[str]) -> dict[str, Path]:
    found = {}
    for text in given:
        name, separator, path = text.partition("=")
        if not separator or not path:
            raise ConfigError(f"--reference {text}: expected NAME=FILE")
        found[name] = Path(path)
    return found


def _table(results: Sequence[CaseResult]) -> Table:
    table = Table(
        "case", "engine", "listed", "generated", "matched", "parity", "rounding", "first divergence"
    )
    for result in results:
        found = result.comparison
        table.add_row(
            result.case.name,
            result.engine,
            str(found.reference_trades),
            str(found.generated_trades),
            str(found.matched),
            f"{found.parity:.2%}",
            str(found.rounding_cells),
            describe(found.first_divergence),
        )
    return table


def describe(pair: Pair | None) -> str:
    """One line about a pair that does not match; "" when all do."""
    if pair is None:
        return ""
    when = datetime.fromtimestamp(pair.time_ns / 1e9, UTC).strftime("%Y-%m-%d %H:%M")
    if pair.generated is None:
        return f"{when} listed trade {pair.listed.number if pair.listed else '?'} was not generated"
    if pair.listed is None:
        return f"{when} generated a trade that is not listed"
    wrong = ", ".join(name for name, verdict in pair.verdicts.items() if verdict == "different")
    return f"{when} trade {pair.listed.number}: {wrong}"


def summary(results: Sequence[CaseResult]) -> dict[str, object]:
    """What `parity.json` holds."""
    return {
        "cases": [
            {
                "name": result.case.name,
                "engine": result.engine,
                "reference_trades": result.comparison.reference_trades,
                "generated_trades": result.comparison.generated_trades,
                "matched": result.comparison.matched,
                "parity": result.comparison.parity,
                "columns": result.comparison.columns,
                "rounding_cells": result.comparison.rounding_cells,
                "first_divergence": describe(result.comparison.first_divergence) or None,
            }
            for result in results
        ]
    }


def _write(out: Path, results: Sequence[CaseResult]) -> None:
    """Write all files into a temporary folder first, so that no half-written one is left."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as scratch:
        folder = Path(scratch)
        (folder / "parity.json").write_text(json.dumps(summary(results), indent=2) + "\n")
        with (folder / "pairs.csv").open("w", newline="") as file:
            _write_pairs(file, results)
        for path in folder.iterdir():
            path.replace(out / path.name)


def _write_pairs(file: TextIO, results: Sequence[CaseResult]) -> None:
    writer = csv.writer(file)
    names = ("entry_time_ns", "exit_time_ns", "direction", "qty", "entry_price", "exit_price")
    texts = ("entry_signal", "exit_signal")
    columns = [f"{side}_{name}" for side in ("listed", "generated") for name in names + texts]
    writer.writerow(["case", "engine", "trade", "match", "different", *columns])
    for result in results:
        for pair in result.comparison.pairs:
            wrong = [name for name, verdict in pair.verdicts.items() if verdict == "different"]
            sides = [
                "" if side is None else getattr(side, name)
                for side in (pair.listed, pair.generated)
                for name in names + texts
            ]
            number = pair.listed.number if pair.listed else ""
            writer.writerow([result.case.name, result.engine, number, pair.is_match, " ".join(wrong), *sides])


if __name__ == "__main__":
    app()
