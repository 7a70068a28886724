"""Writes all output files of a run, or none."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from engine.backtest.data.output_folder import folder_in_one_step
from engine.backtest.report import text as report_text
from engine.backtest.report.earlier import SUMMARY, EarlierRun, earlier_run, write_summary
from engine.backtest.report.trades import write_equity, write_trades

if TYPE_CHECKING:
    from engine.backtest.report.result import Result


def file_names(titles: Sequence[str], suffix: str, *, page: bool) -> list[str]:
    """The files that a run of these strategies writes, as paths in the output folder."""
    texts = ["report.txt", SUMMARY, *(["report.html"] if page else [])]
    one = [*(f"{name}.{suffix}" for name in ("trades", "open_trades", "equity")), *texts]
    return one if len(titles) == 1 else [*texts, *(f"{title}/{name}" for title in titles for name in one)]


def write_outputs(
    out: Path, results: "Sequence[Result]", suffix: str, *, page: bool, are_several: bool
) -> EarlierRun:
    """Into `out` for one strategy; for several into a folder each, and the comparison into `out`.

    `are_several`: several strategies were asked for, even if only one has a result.

    trades, open_trades and equity (`suffix` parquet or csv), summary.json, report.txt and, if `page`,
    report.html. Replaces the results of an earlier run, which is returned. `DataError` where other files
    are in the way.
    """
    with folder_in_one_step(out) as folder:
        _write_all(folder, results, suffix, page=page, are_several=are_several)
        written = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
        earlier = earlier_run(out, written)
    earlier.remove_all_but(written)
    return earlier


def _write_all(
    folder: Path, results: "Sequence[Result]", suffix: str, *, page: bool, are_several: bool
) -> None:
    if not are_several:
        _write_one(folder, results[0], suffix, page=page)
        return
    for one in results:
        (folder / one.title).mkdir()
        _write_one(folder / one.title, one, suffix, page=page)
    summaries = [one.summary for one in results]
    (folder / "report.txt").write_text("\n".join(map(report_text.report, summaries)), encoding="utf-8")
    if page:
        from engine.backtest.report.page import write_comparison  # noqa: PLC0415  # plotly is slow

        write_comparison(folder / "report.html", results)
    write_summary(folder, {"runs": summaries})


def _write_one(folder: Path, one: "Result", suffix: str, *, page: bool) -> None:
    write_trades(folder / f"trades.{suffix}", one.closed)
    write_trades(folder / f"open_trades.{suffix}", one.still_open)
    write_equity(folder / f"equity.{suffix}", one.curve)
    (folder / "report.txt").write_text(report_text.report(one.summary), encoding="utf-8")
    if page:
        from engine.backtest.report.page import write_report  # noqa: PLC0415  # plotly is slow

        write_report(folder / "report.html", one)
    write_summary(folder, one.summary)
