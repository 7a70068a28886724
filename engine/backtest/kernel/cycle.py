"""The cycle of one bar, and the run over all bars of all symbols (docs/assumptions.md)."""

from engine.backtest.kernel.decisions import decide
from engine.backtest.kernel.layout import Account, Symbol, symbol_of
from engine.backtest.kernel.lots import mark_lots, open_profit, pay_funding
from engine.backtest.kernel.margin import cash, equity, liquidation_price
from engine.backtest.kernel.orders import fill_market_orders, meet, watch_orders
from engine.compiled.functions import compiled
from engine.compiled.memory import float_at, floats_at, int_at

_INF = float("inf")


@compiled
def _pay_due(s: Symbol, end_ns: int) -> None:
    """Steps 1 and 5: funding due before `end_ns`, at the open price."""
    while s.next_funding < s.funding_events and int_at(s.funding_time_at, s.next_funding) < end_ns:
        pay_funding(s, float_at(s.open_at, s.bar), float_at(s.funding_rate_at, s.next_funding))
        s.next_funding += 1


@compiled
def _go(s: Symbol, start: float, end: float) -> None:
    """Move price straight from `start` to `end`."""
    meet(s, start, end)
    if s.lots > 0:
        mark_lots(s, end)
        s.lived_high = max(s.lived_high, end)
        s.lived_low = min(s.lived_low, end)


@compiled
def _walk(s: Symbol, open_: float, high: float, low: float, close: float) -> None:
    """Move price along the path assumed for one bar."""
    meet(s, open_, open_)
    if s.lots > 0:
        mark_lots(s, open_)
    first, second = (high, low) if high - open_ < open_ - low else (low, high)
    _go(s, open_, first)
    _go(s, first, second)
    _go(s, second, close)


@compiled
def _fill_bar(s: Symbol) -> None:
    """Steps 2 to 4 where something may fill."""
    open_ = float_at(s.open_at, s.bar)
    s.is_inside = 0
    fill_market_orders(s, open_)
    meet(s, open_, open_)
    # Only what is still held lived through the open: what left there saw its own exit price instead.
    if s.lots > 0:
        mark_lots(s, open_)
    if s.leverage != 0.0 and s.lots > 0:
        s.liquidation = liquidation_price(s)
    watch_orders(s)
    s.is_inside = 1
    high, low, close = float_at(s.high_at, s.bar), float_at(s.low_at, s.bar), float_at(s.close_at, s.bar)
    s.lived_high, s.lived_low = high, low
    if s.up == _INF and s.down == -_INF:
        if s.lots > 0:
            mark_lots(s, high)
            mark_lots(s, low)
        return
    first, end = 0, 0
    if s.has_finer != 0:
        first, end = int_at(s.finer_first_at, s.bar), int_at(s.finer_end_at, s.bar)
    if first == end:
        _walk(s, open_, high, low, close)
    for f in range(first, end):
        open_, close = float_at(s.finer_open_at, f), float_at(s.finer_close_at, f)
        _walk(s, open_, float_at(s.finer_high_at, f), float_at(s.finer_low_at, f), close)
    watch_orders(s)


@compiled
def _happen(s: Symbol) -> None:
    """Steps 1 to 5 of a bar."""
    funded = s.next_funding < s.funding_events
    if funded:
        _pay_due(s, s.time_ns + 1)
    high, low = float_at(s.high_at, s.bar), float_at(s.low_at, s.bar)
    watched = s.up < _INF or s.down > -_INF
    is_exact = (watched and s.has_finer != 0) or (s.lots > 0 and s.leverage != 0.0)
    if high >= s.up or low <= s.down or is_exact:
        _fill_bar(s)
    else:
        s.lived_high = high
        s.lived_low = low
        if s.lots > 0:
            mark_lots(s, high)
            mark_lots(s, low)
    if funded:
        _pay_due(s, s.time_ns + s.timeframe_ns)


@compiled
def _end_bar(s: Symbol) -> None:
    """Step 7, with `bar_close` timing."""
    if s.up <= s.mark or s.down >= s.mark:
        fill_market_orders(s, s.mark)
        meet(s, s.mark, s.mark)
        watch_orders(s)


@compiled
def _next_time(account: Account) -> int:
    """Open time of the next bar of any symbol, -1 at the end."""
    earliest = -1
    for k in range(account.symbols):
        s = symbol_of(account, k)
        if s.next_bar < s.bars:
            time_ns = int_at(s.time_at, s.next_bar)
            if earliest < 0 or time_ns < earliest:
                earliest = time_ns
    return earliest


@compiled
def _note_equity(account: Account, value: float) -> None:
    floats_at(account.equity_at, account.times + 1)[account.times] = value
    account.times += 1


@compiled
def _run_one(account: Account, most_trades: int) -> int:
    """`run` for a single symbol: the same steps without looking who has a bar."""
    s = symbol_of(account, 0)
    while s.next_bar < s.bars:
        if account.trades + most_trades > account.room_for_trades:
            return 0
        s.bar = s.next_bar
        s.time_ns = int_at(s.time_at, s.bar)
        s.next_bar += 1
        _happen(s)
        s.mark = float_at(s.close_at, s.bar)
        decide(s)
        if s.on_close != 0:
            _end_bar(s)
        _note_equity(account, cash(account) + (open_profit(s, s.mark) if s.lots > 0 else 0.0))
    return 1


@compiled
def _fill_all(account: Account, time_ns: int) -> None:
    """Steps 1 to 5 for every symbol that has a bar at this time."""
    for k in range(account.symbols):
        s = symbol_of(account, k)
        if s.next_bar < s.bars and int_at(s.time_at, s.next_bar) == time_ns:
            s.bar = s.next_bar
            s.time_ns = time_ns
            s.next_bar += 1
            _happen(s)
    for k in range(account.symbols):
        s = symbol_of(account, k)
        if s.time_ns == time_ns:
            s.mark = float_at(s.close_at, s.bar)


@compiled
def run(account: Account, most_trades: int) -> int:
    """Run to the end, or until a bar that makes `most_trades` trades might overfill the list.

    Returns 1 at the end, else 0: give more room for trades and call again.
    """
    if account.symbols == 1:
        return _run_one(account, most_trades)
    while True:
        time_ns = _next_time(account)
        if time_ns < 0:
            return 1
        if account.trades + most_trades > account.room_for_trades:
            return 0
        _fill_all(account, time_ns)
        for k in range(account.symbols):
            s = symbol_of(account, k)
            if s.time_ns == time_ns:
                decide(s)
        for k in range(account.symbols):
            s = symbol_of(account, k)
            if s.time_ns == time_ns and s.on_close != 0:
                _end_bar(s)
        _note_equity(account, equity(account))
