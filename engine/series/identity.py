"""What a node means and what bars hold, as short texts that are equal in every process."""

import hashlib
from collections.abc import Sequence

import numpy as np

from engine.compiled.functions import CACHE_FOLDER
from engine.model.bars import Bars
from engine.series.nodes import Node, ordered


def node_digests(roots: Sequence[Node], beside: str = "") -> list[str]:
    """For each root 32 hex digits of its whole graph, of the code that computes it, and of `beside`."""
    found: dict[int, str] = {}
    for node in ordered(roots):
        version = str(getattr(type(node.payload), "version", ""))
        parts = (node.op, node.feed, [repr(one) for one in node.data], node.is_condition, version)
        found[node.number] = _digest(f"{parts!r} {[found[arg.number] for arg in node.args]}")
    return [_digest(f"{CACHE_FOLDER.name} {found[node.number]} {beside}") for node in roots]


def bars_digest(bars: Bars) -> str:
    """32 hex digits of all that the bars hold."""
    digest = hashlib.blake2b(f"{bars.symbol} {bars.timeframe_ns} {len(bars)}".encode(), digest_size=16)
    for column in (bars.open_time_ns, bars.open, bars.high, bars.low, bars.close, bars.volume_base):
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
