"""Changes of a symbol's status and filters during a run, as a command of the control API asks for them."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final, Literal, get_args

from gateways.simulator.exchange.model.symbols import SymbolSpec

Status = Literal[
    "TRADING",
    "BREAK",
    "HALT",
    "PENDING_TRADING",
    "PRE_SETTLE",
    "SETTLING",
    "PRE_DELIVERING",
    "DELIVERING",
    "DELIVERED",
    "CLOSE",
]
STATUSES: Final = get_args(Status)
ENDED_STATUSES: Final = frozenset({"SETTLING", "DELIVERING", "DELIVERED", "CLOSE"})
"""The symbol is being settled or delisted: its open orders expire."""

_MINIMUMS: Final = ("min_qty", "market_min_qty")


def changed_symbol(spec: SymbolSpec, changes: Mapping[str, Any]) -> SymbolSpec:
    """Return `spec` with other filters and status.

    Keys are fields of `SymbolSpec`; `tick_size` and `step_size` are those that new orders must keep. A
    smallest quantity that was one step stays one step. Raises ValueError with one sentence naming the
    field.
    """
    given: dict[str, Any] = dict(changes)
    tick = given.pop("tick_size", spec.order_tick)
    step = given.pop("step_size", spec.order_step)
    _check_grid("tick_size", tick, spec.tick_size)
    _check_grid("step_size", step, spec.step_size)
    for name in _MINIMUMS:
        if getattr(spec, name) == spec.order_step:
            given.setdefault(name, step)
    changed = replace(
        spec,
        **given,
        coarse_tick=None if tick == spec.tick_size else tick,
        coarse_step=None if step == spec.step_size else step,
    )
    _check(changed)
    return changed


def _check_grid(name: str, wanted: Decimal, own: Decimal) -> None:
    if wanted < own or wanted % own:
        raise ValueError(f"{name}: expected a multiple of {own}, the grid of the symbol's book")


def _check(spec: SymbolSpec) -> None:
    for name in ("min_qty", "max_qty", "market_min_qty", "market_max_qty"):
        qty = getattr(spec, name)
        if qty <= 0 or qty % spec.order_step:
            raise ValueError(f"{name}: expected a multiple of the step {spec.order_step}, not {qty}")
    if spec.min_price <= 0 or spec.min_price % spec.tick_size or spec.max_price % spec.tick_size:
        raise ValueError(f"min_price, max_price: expected multiples of {spec.tick_size}")
    for low, high in (
        ("min_qty", "max_qty"),
        ("market_min_qty", "market_max_qty"),
        ("min_price", "max_price"),
    ):
        if getattr(spec, low) > getattr(spec, high):
            raise ValueError(f"{low}: expected at most {high}, {getattr(spec, high)}")
    if spec.min_notional < 0:
        raise ValueError("min_notional: expected 0 or more")
    if not 0 < spec.multiplier_down < 1 < spec.multiplier_up < 10:
        raise ValueError("multiplier_down, multiplier_up: expected a number below 1 and one above it")
