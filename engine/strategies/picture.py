"""A strategy's graph of series as an SVG picture: from the fields of a bar on the left to its rules."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from engine.series.nodes import Node
from engine.series.words import expression
from engine.strategies.rules import Graph
from engine.strategies.shown import names_of

_CHARACTER, _HEIGHT, _APART, _BETWEEN, _EDGE = 7.3, 26.0, 14.0, 70.0, 20.0
"""Pixels: of a character, of a box, between boxes, between columns, around the picture."""
_LONGEST = 64
_FONT = "font-family='ui-monospace, Menlo, Consolas, monospace' font-size='12'"
_STYLE = """<style>
.page { fill: #ffffff } text { fill: #1c2733 } .box { stroke: #5b6b7b } .edge { fill: none; stroke: #9db2c7 }
.bar { fill: #eef3f8 } .series { fill: #ffffff } .rule { fill: #eaf6ec } .head { fill: #9db2c7 }
@media (prefers-color-scheme: dark) {
.page { fill: #14191f } text { fill: #dfe7ef } .box { stroke: #7c8da0 } .edge { stroke: #55697d }
.bar { fill: #1f2a36 } .series { fill: #1a2027 } .rule { fill: #1b2f22 } .head { fill: #55697d }
}
</style>
<defs><marker id='head' viewBox='0 0 8 8' refX='8' refY='4' markerWidth='7' markerHeight='7' orient='auto'>
<path class='head' d='M0,0 L8,4 L0,8 z'/></marker></defs>
"""
"""Colours by the reader's preference, and the head of an arrow."""


@dataclass(eq=False)
class Box:
    """One box of the picture, made of those in `below`; `kind` is bar, series or rule. Places are pixels."""

    kind: str
    text: str
    below: "tuple[Box, ...]"
    column: int = 0
    x: float = 0.0
    y: float = 0.0

    @property
    def shown(self) -> str:
        """The text, cut where it is long."""
        return self.text if len(self.text) <= _LONGEST else self.text[: _LONGEST - 1] + "…"

    @property
    def width(self) -> float:
        """By the characters of its text."""
        return len(self.shown) * _CHARACTER + 14.0


def picture_of(graph: Graph) -> str:
    """The SVG text: a box for each field of the bar, each indicator, each named series and each rule."""
    boxes = boxes_of(graph)
    width = max((box.x + box.width for box in boxes), default=0.0) + _EDGE
    height = max((box.y + _HEIGHT for box in boxes), default=0.0) + _EDGE
    lines = [line for box in boxes for line in _edges(box)]
    body = "\n".join([*lines, *map(_drawn, boxes)])
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width:.0f}' height='{height:.0f}' {_FONT}>\n"
        f"{_STYLE}<rect class='page' width='100%' height='100%'/>\n{body}\n</svg>\n"
    )


def boxes_of(graph: Graph) -> list[Box]:
    """The boxes in their places, column by column."""
    names = names_of(graph)
    made: dict[int, Box] = {}
    rules = [
        Box("rule", f"{name}: {expression(node, names)}", _below(node, names, made))
        for name, node in {
            **graph.flags,
            "risk_distance": graph.roots[len(graph.flags)],
            **graph.numbers,
        }.items()
        if node.op != "constant"
    ]
    boxes = [*made.values(), *rules]  # each after those it is made of
    for box in boxes:
        box.column = 1 + max((one.column for one in box.below), default=-1)
    last = max((box.column for box in boxes), default=0)
    for box in rules:
        box.column = last
    return _placed(boxes)


def _below(node: Node, names: Mapping[int, str], made: dict[int, Box]) -> tuple[Box, ...]:
    """The boxes that a node is made of; the node itself where it has one."""
    if node.number in names or node.op in {"field", "output"}:
        return (_box(node, names, made),)
    return tuple(dict.fromkeys(box for arg in node.args for box in _below(arg, names, made)))


def _box(node: Node, names: Mapping[int, str], made: dict[int, Box]) -> Box:
    found = made.get(node.number)
    if found is None:
        below = tuple(dict.fromkeys(box for arg in node.args for box in _below(arg, names, made)))
        text = expression(node, names, named=False)
        name = names.get(node.number)
        text = f"{name} = {text}" if name and name != text else text
        found = made[node.number] = Box("series" if node.args else "bar", text, below)
    return found


def _placed(boxes: Sequence[Box]) -> list[Box]:
    """In columns; within one, a box is about as high as the boxes it is made of."""
    placed: list[Box] = []
    x = _EDGE
    for _, column in groupby(sorted(boxes, key=lambda box: box.column), key=lambda box: box.column):
        stack, y = sorted(column, key=_wanted_y), _EDGE
        for box in stack:
            box.x, box.y = x, max(y, _wanted_y(box))
            y = box.y + _HEIGHT + _APART
        x += max(box.width for box in stack) + _BETWEEN
        placed += stack
    return placed


def _wanted_y(box: Box) -> float:
    return sum(one.y for one in box.below) / len(box.below) if box.below else 0.0


def _edges(box: Box) -> Iterator[str]:
    for one in box.below:
        x, y = one.x + one.width, one.y + _HEIGHT / 2
        to_x, to_y = box.x, box.y + _HEIGHT / 2
        middle = (x + to_x) / 2
        curve = f"M{x:.1f},{y:.1f} C{middle:.1f},{y:.1f} {middle:.1f},{to_y:.1f} {to_x:.1f},{to_y:.1f}"
        yield f"<path class='edge' marker-end='url(#head)' d='{curve}'/>"


def _drawn(box: Box) -> str:
    place = f"x='{box.x:.1f}' y='{box.y:.1f}' width='{box.width:.1f}' height='{_HEIGHT:.1f}'"
    return (
        f"<g><title>{escape(box.text)}</title><rect class='box {box.kind}' {place} rx='4'/>"
        f"<text x='{box.x + 7:.1f}' y='{box.y + 17:.1f}'>{escape(box.shown)}</text></g>"
    )
