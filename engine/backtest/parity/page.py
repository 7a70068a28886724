"""The page of a validation: price, both trade lists, and the first divergence marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.backtest.parity.divergence import differing_money, stamp, zone_name
from engine.backtest.parity.settings import case_lines

if TYPE_CHECKING:
    from engine.backtest.parity.explained import Explained

_MS = 1_000_000
_SECOND_NS = 1_000_000_000


def write_page(path: Path, explained: Sequence[Explained]) -> None:
    """One self-contained HTML file; a case that both engines ran alike is drawn once."""
    from engine.backtest.report import html_page  # noqa: PLC0415  # plotly is slow to import

    parts = [_overview(explained)]
    drawn: set[str] = set()
    for one in explained:
        if one.result.case.name in drawn and (one.divergence is None or one.like):
            continue
        drawn.add(one.result.case.name)
        parts.append(f"<h2>{escape(one.result.case.name)} ({escape(one.result.engine)})</h2>")
        parts.append("<p>" + "<br>".join(map(escape, case_lines(one.result))) + "</p>")
        if one.divergence is not None:
            parts.append(_divergence(one))
        parts.append(html_page.figure(_figure(one)))
    html_page.write(path, "Validation against trade lists", parts)


def _overview(explained: Sequence[Explained]) -> str:
    rows = "".join(
        f"<tr><td>{escape(one.result.case.name)}<td>{one.result.engine}<td>{found.reference_trades}"
        f"<td>{found.generated_trades}<td>{found.matched}<td>{found.parity:.2%}<td>{found.rounding_cells}</tr>"
        for one in explained
        for found in (one.result.comparison,)
    )
    head = "".join(
        f"<th>{name}" for name in ("case", "engine", "listed", "generated", "matched", "parity", "rounding")
    )
    return f"<table><tr>{head}</tr>{rows}</table>"


def _divergence(one: Explained) -> str:
    where, cause = one.divergence, one.cause
    assert where is not None
    lines = [
        ("first divergence", where.sentence),
        ("listed", where.listed),
        ("generated", where.generated),
        ("money", differing_money(where.pair)),
        ("decided at the close of", stamp(where.decision_ns, where.zone)),
        ("state", ", ".join(f"{name} {_plain(value)}" for name, value in where.state.items())),
        ("likely cause", cause.sentence if cause else ""),
    ]
    rows = "".join(f"<tr><th>{name}<td>{escape(text)}</tr>" for name, text in lines)
    return f'<table class="divergence">{rows}</table>'


def _plain(value: object) -> str:
    """A value of the state, without Python's punctuation."""
    if isinstance(value, dict):
        return " ".join(f"{name} {found}" for name, found in value.items()) or "none"
    return (" ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)


def _figure(one: Explained) -> Any:  # noqa: ANN401  # plotly has no types
    import plotly.graph_objects as go  # noqa: PLC0415  # slow to import

    from engine.backtest.report import html_page  # noqa: PLC0415  # plotly is slow to import

    result = one.result
    bars, pairs = result.plan.bars, result.comparison.pairs
    listed = [pair.listed for pair in pairs if pair.listed is not None]
    generated = [pair.generated for pair in pairs if pair.generated is not None]
    page = go.Figure()
    # Not scattergl: a browser keeps 16 WebGL canvases, and with ten cases the first pictures go blank.
    times = _local_ms(bars.open_time_ns.tolist(), result.zone)
    page.add_scatter(x=times, y=bars.close, name="close", line_width=1, line_color="#888")
    for name, trades, symbol, size in (
        ("listed", listed, "circle-open", 11),
        ("generated", generated, "x-thin-open", 7),
    ):
        entries, exits = _entries(trades), _exits(trades)
        _add_fills(page, f"{name} entries", entries, symbol, size, "#1a7f37", result.zone)
        _add_fills(page, f"{name} exits", exits, symbol, size, "#b35900", result.zone)
    if one.divergence is not None:
        at = float(_local_ms([one.divergence.time_ns], result.zone)[0])
        page.add_vline(x=at, line_color="red", line_dash="dot", annotation_text="first divergence")
        near = 60 * bars.timeframe_ns / _MS
        page.update_xaxes(range=[at - near, at + near])
        shown = np.abs(times - at) <= near
        page.update_yaxes(range=html_page.limits(bars.low[shown], bars.high[shown]))
    page.update_xaxes(type="date", rangeslider_visible=False, title_text=f"time, {zone_name(result.zone)}")
    page.update_layout(height=520, margin={"t": 20, "b": 30}, legend_orientation="h", dragmode="pan")
    return page


def _local_ms(times_ns: Sequence[int], zone: tzinfo) -> NDArray[np.float64]:
    """Clock times of the zone as plotly wants them, which knows UTC alone."""
    ms = np.array(times_ns, dtype=np.float64) / _MS
    if isinstance(zone, timezone):
        return ms + zone.utcoffset(None) / timedelta(milliseconds=1)
    moments = (datetime.fromtimestamp(time_ns // _SECOND_NS, zone) for time_ns in times_ns)
    offsets = [(zone.utcoffset(moment) or timedelta()) / timedelta(milliseconds=1) for moment in moments]
    return ms + np.array(offsets, dtype=np.float64)


def _add_fills(
    page: Any,  # noqa: ANN401  # plotly has no types
    name: str,
    fills: list[tuple[int, float, str]],
    symbol: str,
    size: int,
    color: str,
    zone: tzinfo,
) -> None:
    page.add_scatter(
        x=_local_ms([time_ns for time_ns, _, _ in fills], zone),
        y=[price for _, price, _ in fills],
        text=[text for _, _, text in fills],
        name=name,
        mode="markers",
        marker={"symbol": symbol, "size": size, "color": color, "line": {"width": 2}},
    )


def _entries(trades: Iterable[Any]) -> list[tuple[int, float, str]]:
    return [(t.entry_time_ns, float(t.entry_price), t.entry_signal) for t in trades]


def _exits(trades: Iterable[Any]) -> list[tuple[int, float, str]]:
    return [
        (t.exit_time_ns, float(t.exit_price), t.exit_signal)
        for t in trades
        if not (t.is_open if hasattr(t, "is_open") else t.exit_bar < 0)
    ]
