"""The stress run of `backtest.py` written by hand for this one set of rules; the last line is JSON.

The yardstick for the general kernel: one loop, everything in local variables, nothing that this run does not
need (no pyramiding, sizing, margin, funding, finer bars, other orders). It makes the same trades, with their
excursions, and the same equity curve.

Run: `python benchmarks/backtest_by_hand.py BARS.parquet OUT_FOLDER`.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec, TypeVar, cast

import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Floats = NDArray[np.float64]
P = ParamSpec("P")
R = TypeVar("R")

GROUP = 6
QTY, FEE, SLIP, FACTOR = 0.1, 0.0004, 0.2, 1.98


def _compiled(function: Callable[P, R]) -> Callable[P, R]:
    return cast(Callable[P, R], numba.njit(cache=True)(function))


@_compiled
def _round(price: float) -> float:
    return float(np.floor(price * 10.0 + 0.5) / 10.0)


@_compiled
def _level(price: float, upwards: bool) -> float:
    return float((np.ceil(price * 10.0 - 1e-4) if upwards else np.floor(price * 10.0 + 1e-4)) / 10.0)


@_compiled
def ema(x: Floats, length: int) -> Floats:
    """Exponential average seeded with the simple one."""
    out = np.full(len(x), np.nan)
    total = 0.0
    for i in range(len(x)):
        if i < length:
            total += x[i]
            if i == length - 1:
                out[i] = total / length
        else:
            alpha = 2.0 / (length + 1.0)
            out[i] = alpha * x[i] + (1.0 - alpha) * out[i - 1]
    return out


@_compiled
def rma(x: Floats, length: int, first: int) -> Floats:
    """Wilder's average of `x[first:]`, seeded with the simple one."""
    out = np.full(len(x), np.nan)
    total = 0.0
    for i in range(first, len(x)):
        if i < first + length:
            total += x[i]
            if i == first + length - 1:
                out[i] = total / length
        else:
            out[i] = (x[i] + (length - 1.0) * out[i - 1]) / length
    return out


@_compiled
def _extremes(direction: float, best: float, worst: float, price: float) -> tuple[float, float]:
    if direction * (price - best) > 0.0:
        return price, worst
    if direction * (price - worst) < 0.0:
        return best, price
    return best, worst


@_compiled
def _write(
    columns: Floats,
    row: int,
    direction: float,
    qty: float,
    entry_bar: int,
    entry: float,
    exit_bar: int,
    price: float,
    best: float,
    worst: float,
) -> float:
    best, worst = _extremes(direction, best, worst, price)
    columns[0, row] = direction
    columns[1, row] = qty
    columns[2, row] = entry_bar
    columns[3, row] = entry
    columns[4, row] = exit_bar
    columns[5, row] = price
    paid, left = entry * qty * FEE, price * qty * FEE
    gross = direction * qty * (price - entry)
    columns[6, row] = gross - paid - left
    columns[7, row] = max(0.0, direction * qty * (best - entry) - paid)
    columns[8, row] = min(0.0, direction * qty * (worst - entry) - paid)
    return gross - left


@_compiled
def _levels(entry: float, direction: float, r: float) -> tuple[float, float, float]:
    """Stop, partial exit and target."""
    up = direction > 0.0
    stop = _level(entry - direction * r, not up)
    return stop, _level(entry + direction * r, up), _level(entry + direction * 3.0 * r, up)


@_compiled
def _node(
    leg: int, o: float, first: float, second: float, c: float, good_first: bool
) -> tuple[float, bool, bool]:
    """A node of the assumed path, and whether stops and targets can fill on the way to it."""
    if leg == 1:
        return first, not good_first, good_first
    if leg == 2:
        return second, good_first, not good_first
    return (o if leg == 0 else c), True, True


@_compiled
def simulate(  # one loop is the point of it
    open_: Floats,
    high: Floats,
    low: Floats,
    close: Floats,
    side: NDArray[np.int64],
    risk: Floats,
    columns: Floats,
    equity: Floats,
) -> int:
    """Fill the columns (see `main`) and the equity curve; returns the number of trades."""
    trades = 0
    cash = 10_000_000.0
    direction = 0.0
    wanted = 0
    qty = entry = stop = partial = target = r = next_r = best = worst = 0.0
    entry_bar = 0
    for i in range(len(open_)):
        o, h, l, c = open_[i], high[i], low[i], close[i]  # noqa: E741  # as everybody writes them
        if wanted != 0:
            direction, qty, r, entry_bar = float(wanted), QTY, next_r, i
            best = worst = entry = _round(o + direction * SLIP)
            stop, partial, target = _levels(entry, direction, r)
            cash -= entry * qty * FEE
            wanted = 0
        if direction != 0.0:
            adverse, favourable = (l, h) if direction > 0 else (h, l)
            goal = partial if qty == QTY else target
            if direction * (adverse - stop) <= 0.0 or direction * (favourable - goal) >= 0.0:
                high_first = h - o < o - l
                good_first = high_first == (direction > 0)
                first, second = (h, l) if high_first else (l, h)
                for leg in range(4):
                    here, stops, gains = _node(leg, o, first, second, c, good_first)
                    if stops and direction * (here - stop) <= 0.0:
                        price = _round((o if leg == 0 else stop) - direction * SLIP)
                        cash += _write(
                            columns, trades, direction, qty, entry_bar, entry, i, price, best, worst
                        )
                        trades += 1
                        direction = 0.0
                        break
                    if gains and qty == QTY and direction * (here - partial) >= 0.0:
                        price = o if leg == 0 else partial
                        cash += _write(
                            columns, trades, direction, QTY / 2, entry_bar, entry, i, price, best, worst
                        )
                        trades += 1
                        qty = QTY / 2
                        best, worst = _extremes(direction, best, worst, price)
                    if gains and direction * (here - target) >= 0.0:
                        price = o if leg == 0 else target
                        cash += _write(
                            columns, trades, direction, qty, entry_bar, entry, i, price, best, worst
                        )
                        trades += 1
                        direction = 0.0
                        break
                    best, worst = _extremes(direction, best, worst, here)
        equity[i] = cash + (direction * qty * (c - entry) if direction != 0.0 else 0.0)
        if direction == 0.0:
            wanted = side[i]
            next_r = risk[i]
        else:
            best, worst = _extremes(direction, best, worst, h if direction > 0 else l)
            best, worst = _extremes(direction, best, worst, l if direction > 0 else h)
            if direction * (best - entry) - r >= -1e-10 and direction * (entry - stop) > 0.0:
                stop = entry
    return trades


def main() -> None:
    """From Parquet to written trades."""
    source, out = Path(sys.argv[1]), Path(sys.argv[2])
    out.mkdir(parents=True, exist_ok=True)
    stages = {"import": time.process_time()}
    began = time.perf_counter()
    table = pq.read_table(source)
    open_, high, low, close = (table.column(name).to_numpy() for name in ("open", "high", "low", "close"))
    stages["load"] = time.perf_counter() - began
    began = time.perf_counter()
    whole = len(close) // GROUP
    slow = ema(np.ascontiguousarray(close[GROUP - 1 : whole * GROUP : GROUP]), 20)
    trend = np.full(len(close), np.nan)
    trend[GROUP - 1 :] = np.repeat(slow, GROUP)[: len(close) - GROUP + 1]
    stages["informative"] = time.perf_counter() - began
    began = time.perf_counter()
    change = np.diff(close, prepend=close[0])
    up, down = rma(np.maximum(change, 0.0), 14, 1), rma(np.maximum(-change, 0.0), 14, 1)
    strength = np.where(down == 0.0, 100.0, 100.0 - 100.0 / (1.0 + up / np.where(down == 0.0, 1.0, down)))
    before = np.concatenate([close[:1], close[:-1]])
    ranges = np.maximum(high - low, np.maximum(abs(high - before), abs(low - before)))
    risk, fast = FACTOR * rma(ranges, 14, 0), ema(close, 12)
    stages["features"] = time.perf_counter() - began
    began = time.perf_counter()
    side = ((close > trend) & (close > fast) & (strength > 57.3)).astype(np.int64)
    side -= (close < trend) & (close < fast) & (strength < 42.7)
    stages["entries"] = time.perf_counter() - began
    began = time.perf_counter()
    columns, equity = np.empty((9, len(close))), np.empty(len(close))
    trades = simulate(open_, high, low, close, side, risk, columns, equity)
    stages["simulation"] = time.perf_counter() - began
    began = time.perf_counter()
    names = (
        "direction",
        "qty",
        "entry_bar",
        "entry_price",
        "exit_bar",
        "exit_price",
        "pnl",
        "run_up",
        "drawdown",
    )
    rows = {name: columns[k, :trades] for k, name in enumerate(names)}
    pq.write_table(pa.table(rows), out / "trades.parquet", compression="zstd")
    stages["report"] = time.perf_counter() - began
    told: dict[str, object] = {
        "signals": int((side != 0).sum()),
        "trades": trades,
        "net_profit": float(columns[6, :trades].sum()),
        "final_equity": float(equity[-1]),
        "stages": stages,
    }
    if "--alone" in sys.argv:
        best = float("inf")
        for _ in range(15):
            began = time.process_time()
            simulate(open_, high, low, close, side, risk, columns, equity)
            best = min(best, time.process_time() - began)
        told["simulation_ns_a_bar"] = best / len(close) * 1e9
    print(json.dumps(told))


if __name__ == "__main__":
    main()
