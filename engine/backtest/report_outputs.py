"""Writes everything a run leaves behind, all of it or nothing."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.backtest import report_text
from engine.backtest.report_files import folder_in_one_step
from engine.backtest.report_trades import write_equity, write_trades

if TYPE_CHECKING:
    from engine.backtest.cli_run import Outcome


def write_outputs(
    out: Path, outcomes: "Sequence[Outcome]", suffix: str, *, page: bool, are_several: bool
) -> None:
    """Into `out` for one strategy; for several into a folder each, and the comparison into `out`.

    `are_several`: that many were asked for, whatever became of the others.

    trades, open_trades and equity (`suffix` parquet or csv), summary.json, report.txt and, if `page`,
    report.html.
    """
    with folder_in_one_step(out) as folder:
        if not are_several:
            _write_one(folder, outcomes[0], suffix, page=page)
            return
        for one in outcomes:
            (folder / one.title).mkdir()
            _write_one(folder / one.title, one, suffix, page=page)
        summaries = [one.summary for one in outcomes]
        _write_json(folder / "summary.json", {"runs": summaries})
        (folder / "report.txt").write_text("\n".join(map(report_text.report, summaries)), encoding="utf-8")
        if page:
            from engine.backtest.report_page import write_comparison  # noqa: PLC0415  # plotly is slow

            write_comparison(folder / "report.html", outcomes)


def _write_one(folder: Path, one: "Outcome", suffix: str, *, page: bool) -> None:
    write_trades(folder / f"trades.{suffix}", one.closed)
    write_trades(folder / f"open_trades.{suffix}", one.still_open)
    write_equity(folder / f"equity.{suffix}", one.curve)
    _write_json(folder / "summary.json", one.summary)
    (folder / "report.txt").write_text(report_text.report(one.summary), encoding="utf-8")
    if page:
        from engine.backtest.report_page import write_report  # noqa: PLC0415  # plotly is slow

        write_report(folder / "report.html", one)


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
