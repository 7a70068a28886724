"""What `validate_runner` prints and writes."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from engine.backtest.data.output_folder import folder_in_one_step
from engine.backtest.parity.causes import Cause
from engine.backtest.parity.divergence import Divergence, differing_money, stamp, zone_name
from engine.backtest.parity.explained import Explained
from engine.backtest.parity.page import write_page
from engine.backtest.parity.settings import case_lines

_SIDE_COLUMNS = (
    "entry_time_ns",
    "exit_time_ns",
    "direction",
    "qty",
    "entry_price",
    "exit_price",
    "entry_signal",
    "exit_signal",
)


def table(explained: Sequence[Explained]) -> Table:
    """One row a case and engine."""
    # Narrow enough for 80 columns with the names of the shipped cases; a longer name is folded, not cut.
    case = Column("case", overflow="fold")
    rest = ("engine", "listed", "generated", "matched", "parity", "rounding")
    rows = Table(case, *rest, box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for one in explained:
        found = one.result.comparison
        rows.add_row(
            one.result.case.name,
            one.result.engine,
            str(found.reference_trades),
            str(found.generated_trades),
            str(found.matched),
            f"{found.parity:.2%}",
            str(found.rounding_cells),
        )
    return rows


def explanation(explained: Explained) -> list[str]:
    """The first divergence in a few lines, none when all matches."""
    where, cause = explained.divergence, explained.cause
    if where is None or cause is None:
        return []
    found, state = explained.result.comparison, where.state
    flags = state["flags"]
    seen = " ".join(flags) if isinstance(flags, list) and flags else "none"
    if explained.like:
        return [f"{explained.result.case.name} ({explained.result.engine}): the same as {explained.like}"]
    counted = f"held {state['held_bars']} bars counted from bar {state['entry_bar']}"
    decided = stamp(where.decision_ns, where.zone)
    head = f"{explained.result.case.name} ({explained.result.engine}): {where.sentence}"
    return [
        f"{head}; {found.missing} missing, {found.extra} extra and {found.differing} different in all",
        f"  listed:    {where.listed}",
        f"  generated: {where.generated}",
        *([f"  {money}"] if (money := differing_money(where.pair)) else []),
        f"  decided at the close of {decided} (bar {state['bar']}); flags {seen}",
        f"  values {state['values_before']}, then {state['values']}",
        f"  position {state['position_size']}, {counted}, cooldown {state['cooldown']}",
        f"  likely cause: {cause.sentence}",
    ]


def summary(explained: Sequence[Explained]) -> dict[str, object]:
    """What `parity.json` holds."""
    return {"cases": [_case(one) for one in explained]}


def write(out: Path, explained: Sequence[Explained]) -> None:
    """Write parity.json, pairs.csv and parity.html, all or none of them."""
    with folder_in_one_step(out) as folder:
        (folder / "parity.json").write_text(json.dumps(summary(explained), indent=2) + "\n", encoding="utf-8")
        with (folder / "pairs.csv").open("w", newline="", encoding="utf-8") as file:
            _write_pairs(file, explained)
        write_page(folder / "parity.html", explained)


def _case(one: Explained) -> dict[str, object]:
    result, found = one.result, one.result.comparison
    return {
        "name": result.case.name,
        "engine": result.engine,
        "zone": zone_name(result.zone),
        "settings": case_lines(result),
        "notes": list(result.prepared.notes),
        "reference_trades": found.reference_trades,
        "generated_trades": found.generated_trades,
        "matched": found.matched,
        "missing": found.missing,
        "extra": found.extra,
        "differing": found.differing,
        "parity": found.parity,
        "columns": found.columns,
        "rounding_cells": found.rounding_cells,
        "first_divergence": None if one.divergence is None else _divergence(one.divergence, one.cause),
    }


def _divergence(where: Divergence, cause: Cause | None) -> dict[str, object]:
    return {
        "text": where.sentence,
        "time": stamp(where.time_ns, where.zone),
        "decision_time": stamp(where.decision_ns, where.zone),
        "trade": where.pair.listed.number if where.pair.listed else None,
        "columns": list(where.columns),
        "listed": where.listed,
        "generated": where.generated,
        "state": where.state,
        "cause": cause.kind if cause else None,
        "causes": list(cause.kinds) if cause else [],
        "cause_text": cause.sentence if cause else None,
    }


def _write_pairs(file: TextIO, explained: Sequence[Explained]) -> None:
    writer = csv.writer(file)
    columns = [f"{side}_{name}" for side in ("listed", "generated") for name in _SIDE_COLUMNS]
    writer.writerow(["case", "engine", "trade", "match", "different", *columns])
    for one in explained:
        for pair in one.result.comparison.pairs:
            wrong = [name for name, verdict in pair.verdicts.items() if verdict != "equal"]
            sides = [
                "" if side is None else getattr(side, name)
                for side in (pair.listed, pair.generated)
                for name in _SIDE_COLUMNS
            ]
            head = [one.result.case.name, one.result.engine, pair.listed.number if pair.listed else ""]
            writer.writerow([*head, pair.is_match, " ".join(wrong), *sides])
