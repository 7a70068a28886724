"""
@pyne
"""

# research/pine/*.pine line by line for pynesys-pynecore; run by run_strategies.py. `kind` chooses the rule.
from pynecore.lib import (
    bar_index,
    close,
    high,
    hlc3,
    input,  # noqa: A004  # Pine's name
    low,
    math,
    na,
    nz,
    script,
    strategy,
    ta,
)
from pynecore.types import Persistent, Series


def average(x: float, length: int, kind: str) -> float:
    e1 = ta.ema(x, length)
    e2 = ta.ema(e1, length)
    e3 = ta.ema(e2, length)
    s = ta.sma(x, length)
    return (
        s if kind == "sma" else e1 if kind == "ema" else 2 * e1 - e2 if kind == "dema" else 3 * (e1 - e2) + e3
    )


def pressure(bought: float, spread: float, length: int) -> float:
    above = ta.sma(bought, length) * length
    under = ta.sma(spread, length) * length
    return 0.0 if under == 0 else above / under


def ultosc(length1: int, length2: int, length3: int) -> float:
    c: Series[float] = close
    previous = nz(c[1], c)
    bought = c - math.min(low, previous)
    spread = math.max(high, previous) - math.min(low, previous)
    first = pressure(bought, spread, length1)
    second = pressure(bought, spread, length2)
    third = pressure(bought, spread, length3)
    return na(float) if bar_index < length3 else 100 * ((4 * first) + (2 * second) + third) / 7


def cmo_wilder(x: float, length: int) -> float:
    price: Series[float] = x
    change = price - nz(price[1], price)
    gain = ta.rma(math.max(change, 0), length)
    loss = ta.rma(math.max(-change, 0), length)
    total = gain + loss
    return 100 * (gain - loss) / total if total != 0 else 0.0


def trix(x: float, length: int) -> float:
    e3: Series[float] = ta.ema(ta.ema(ta.ema(x, length), length), length)
    return na(float) if na(e3[1]) or e3[1] == 0 else 100 * (e3 / e3[1] - 1)


def oscillator(kind: str, price: float, length: int, fast: float, slow: float, smoothing: str) -> float:
    if kind == "cci":
        return ta.cci(price, length)
    if kind == "roc":
        return ta.roc(price, length)
    if kind == "mom":
        return ta.mom(price, length)
    if kind == "rsi":
        return ta.rsi(price, length)
    if kind == "trix":
        return trix(price, length)
    if kind == "cmo":
        return ta.cmo(price, length) if smoothing == "sum" else cmo_wilder(price, length)
    if kind == "ppo":
        return ((fast - slow) / slow) * 100
    if kind == "tema":
        return fast - slow
    return price


def crossings(
    x: float, up: float, down: float, middle: float, reverting: bool
) -> tuple[bool, bool, bool, bool]:
    value: Series[float] = x
    upper: Series[float] = up
    lower: Series[float] = down
    mid: Series[float] = middle
    up_to_upper = value[1] < upper[1] and value >= upper
    down_to_upper = value[1] > upper[1] and value <= upper
    up_to_lower = value[1] < lower[1] and value >= lower
    down_to_lower = value[1] > lower[1] and value <= lower
    up_to_mid = value[1] < mid[1] and value >= mid
    down_to_mid = value[1] > mid[1] and value <= mid
    if reverting:
        return up_to_lower, down_to_upper, up_to_mid, down_to_mid
    return up_to_upper, down_to_lower, down_to_mid, up_to_mid


def strict_crossing(x: float) -> tuple[bool, bool]:
    difference: Series[float] = x
    return difference[1] < 0 and difference > 0, difference[1] > 0 and difference < 0


@script.strategy(
    "ten",
    initial_capital=100000,
    default_qty_type=strategy.cash,
    default_qty_value=100,
    commission_type=strategy.commission.percent,
    commission_value=0.05,
    slippage=0,
    pyramiding=0,
    margin_long=100,
    margin_short=100,
    process_orders_on_close=False,
    calc_on_every_tick=False,
)
def main(  # noqa: C901, PLR0912, PLR0915  # one script, in the order of its Pine original
    kind: str = input.string("rsi", "kind"),
    length: int = input.int(14, "length"),
    fast_length: int = input.int(14, "fast_length"),
    slow_length: int = input.int(51, "slow_length"),
    length1: int = input.int(14, "length1"),
    length2: int = input.int(28, "length2"),
    length3: int = input.int(36, "length3"),
    source: str = input.string("close", "source"),
    ma_type: str = input.string("dema", "ma_type"),
    smoothing: str = input.string("sum", "smoothing"),
    upper_level: float = input.float(0.0, "upper"),
    lower_level: float = input.float(0.0, "lower"),
    mid_level: float = input.float(0.0, "mid"),
    upper_deviation: float = input.float(1.0, "upper_deviation"),
    lower_deviation: float = input.float(1.0, "lower_deviation"),
    signal_mode: str = input.string("momentum", "signal_mode"),
    exit_mode: str = input.string("breakout", "exit_mode"),
    stop_loss_percent: float = input.float(0.0, "stop_loss_percent"),
    take_profit_percent: float = input.float(0.0, "take_profit_percent"),
    max_holding_bars: int = input.int(-1, "max_holding_bars"),
    max_holding_strict: bool = input.bool(False, "max_holding_strict"),
    cooldown_bars: int = input.int(0, "cooldown_bars"),
    allow_flip: bool = input.bool(True, "allow_flip"),
    flip_needs_cooldown: bool = input.bool(False, "flip_needs_cooldown"),
    entry_bar: str = input.string("keep", "entry_bar"),
):
    price = hlc3 if source == "hlc3" else close
    fast = average(price, fast_length, "tema" if kind == "tema" else ma_type)
    slow = average(price, slow_length, "tema" if kind == "tema" else ma_type)
    value = oscillator(kind, price, length, fast, slow, smoothing)
    ultimate = ultosc(length1, length2, length3)
    middle = average(price, length, ma_type)
    deviation = ta.stdev(price, length)
    if kind == "ultosc":
        value = ultimate
    upper, lower, mid = upper_level, lower_level, mid_level
    if kind == "bband":
        upper, lower, mid = middle + upper_deviation * deviation, middle - lower_deviation * deviation, middle
    long_signal, short_signal, long_exit, short_exit = crossings(
        value, upper, lower, mid, signal_mode == "mean_reversion"
    )
    rises, falls = strict_crossing(value)
    if kind == "tema":
        long_signal, short_signal = rises, falls
    if kind == "tema" or exit_mode == "breakout":
        long_exit, short_exit = False, False

    cooldown: Persistent[int] = 0
    counted_from: Persistent[int] = na(int)
    pending_bar: Persistent[int] = na(int)

    is_long = strategy.position_size > 0
    is_flat = strategy.position_size == 0
    entry_price = strategy.position_avg_price

    if is_flat and cooldown > 0:
        cooldown -= 1

    if is_flat:
        counted_from = na(int)
    elif entry_bar == "pending":
        if not na(pending_bar):
            counted_from = pending_bar
            pending_bar = na(int)
        elif na(counted_from) or ta.change(strategy.position_size) != 0:
            counted_from = bar_index
    elif na(counted_from):
        counted_from = bar_index
    held = 0 if na(counted_from) else bar_index - counted_from

    if is_flat:
        if cooldown == 0 and long_signal:
            strategy.entry("Long", strategy.long, comment="Long Entry")
            pending_bar = bar_index + 1
        elif cooldown == 0 and short_signal:
            strategy.entry("Short", strategy.short, comment="Short Entry")
            pending_bar = bar_index + 1
    else:
        id_ = "Long" if is_long else "Short"
        side = 1 if is_long else -1
        stop = entry_price * (1 - side * stop_loss_percent / 100)
        target = entry_price * (1 + side * take_profit_percent / 100)
        stop_hit = stop_loss_percent > 0 and (low <= stop if is_long else high >= stop)
        target_hit = take_profit_percent > 0 and (high >= target if is_long else low <= target)
        opposite = short_signal if is_long else long_signal
        if stop_hit:
            strategy.close(id_, comment="SL")
            cooldown = cooldown_bars
        elif target_hit:
            strategy.close(id_, comment="TP")
        elif long_exit if is_long else short_exit:
            strategy.close(id_, comment="Mid Exit")
        elif allow_flip and opposite and (not flip_needs_cooldown or cooldown == 0):
            strategy.close(id_, comment="Flip")
            if cooldown == 0:
                if is_long:
                    strategy.entry("Short", strategy.short, comment="Flip to Short")
                else:
                    strategy.entry("Long", strategy.long, comment="Flip to Long")
                pending_bar = bar_index + 1
                if entry_bar == "signal_bar":
                    counted_from = bar_index
                elif entry_bar == "fill_bar":
                    counted_from = na(int)
        elif max_holding_bars >= 0 and (
            held > max_holding_bars if max_holding_strict else held >= max_holding_bars
        ):
            strategy.close(id_, comment="Max Hold")
