"""One self-contained HTML file of plotly figures: the script library is inside, nothing is fetched."""

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import plotly.io
import plotly.offline
from numpy.typing import NDArray

_STYLE = """
:root { color-scheme: light; background: #fff; color: #222; }
body { font: 14px/1.5 system-ui, sans-serif; margin: 2rem auto; padding: 0 1rem; max-width: 1400px; }
table { border-collapse: collapse; margin: .5rem 0 1rem; } th, td { padding: .15rem .7rem; text-align: left; }
th { background: #f3f3f3; } td { border-bottom: 1px solid #eee; font-variant-numeric: tabular-nums; }
table.divergence th { background: #fde8e8; } .warning { color: #a40000; }
"""


def limits(*series: NDArray[np.float64]) -> list[float] | None:
    """Lowest and highest number with a little room, for an axis; plotly fits an axis to all of a trace only.

    None, which leaves the axis to plotly, where there is no number.
    """
    known = np.concatenate([one[np.isfinite(one)] for one in series])
    if not len(known):
        return None
    low, high = float(known.min()), float(known.max())
    room = 0.05 * (high - low) or 0.01 * abs(high) or 1.0
    return [low - room, high + room]


def figure(page: Any) -> str:  # noqa: ANN401  # plotly has no types
    """One figure as a piece of HTML."""
    html: str = plotly.io.to_html(
        page, include_plotlyjs=False, full_html=False, config={"scrollZoom": True, "responsive": True}
    )
    return html


def write(path: Path, title: str, parts: Sequence[str]) -> None:
    """Write the page; `parts` are pieces of HTML in order."""
    with path.open("w", encoding="utf-8") as file:
        file.write(
            f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
        )
        file.write(f"<style>{_STYLE}</style><script>{plotly.offline.get_plotlyjs()}</script></head>")
        file.write(f"<body><h1>{escape(title)}</h1>")
        file.writelines(parts)
        file.write("</body></html>\n")
