"""The cycle of one bar, and the run over all bars of all symbols (docs/assumptions.md)."""

from engine.backtest.kernel.decisions import decide
from engine.backtest.kernel.layout import Desk, Symbol, Tape
from engine.backtest.kernel.lots import mark_lots, pay_funding
from engine.backtest.kernel.margin import equity, liquidation_price
from engine.backtest.kernel.orders import fill_market_orders, meet, watch_orders
from engine.compiled import compiled

_INF = float("inf")


@compiled
def _pay_due(tape: Tape, desk: Desk, k: int, s: Symbol, i: int, end_ns: int) -> None:
    """Steps 1 and 5: funding due before `end_ns`, at the open price."""
    while s.next_funding < s.end_funding and tape.funding_time_ns[s.next_funding] < end_ns:
        pay_funding(desk, k, s, tape.open[i], tape.funding_rate[s.next_funding])
        s.next_funding += 1


@compiled
def _go(desk: Desk, k: int, s: Symbol, start: float, end: float) -> None:
    """Price walks straight from `start` to `end`."""
    meet(desk, k, s, start, end)
    if s.lots > 0:
        mark_lots(desk, k, s, end)
        s.lived_high = max(s.lived_high, end)
        s.lived_low = min(s.lived_low, end)


@compiled
def _walk(desk: Desk, k: int, s: Symbol, open_: float, high: float, low: float, close: float) -> None:
    """Price takes the path assumed for one bar."""
    if s.lots > 0:
        mark_lots(desk, k, s, open_)
    meet(desk, k, s, open_, open_)
    first, second = (high, low) if high - open_ < open_ - low else (low, high)
    _go(desk, k, s, open_, first)
    _go(desk, k, s, first, second)
    _go(desk, k, s, second, close)


@compiled
def _fill_bar(tape: Tape, desk: Desk, k: int, s: Symbol, i: int) -> None:
    """Steps 2 to 4 where something may fill."""
    open_ = tape.open[i]
    s.is_inside = 0
    if s.lots > 0:
        mark_lots(desk, k, s, open_)
    fill_market_orders(desk, k, s, open_)
    meet(desk, k, s, open_, open_)
    if s.leverage != 0.0 and s.lots > 0:
        s.liquidation = liquidation_price(desk, k, s)
    watch_orders(desk, k, s)
    s.is_inside = 1
    s.lived_high, s.lived_low = tape.high[i], tape.low[i]
    if s.up == _INF and s.down == -_INF:
        mark_lots(desk, k, s, tape.high[i])
        mark_lots(desk, k, s, tape.low[i])
        return
    if s.has_finer == 0 or tape.finer_first[i] == tape.finer_end[i]:
        _walk(desk, k, s, open_, tape.high[i], tape.low[i], tape.close[i])
    else:
        for f in range(tape.finer_first[i], tape.finer_end[i]):
            _walk(desk, k, s, tape.finer_open[f], tape.finer_high[f], tape.finer_low[f], tape.finer_close[f])
    watch_orders(desk, k, s)


@compiled
def _happen(tape: Tape, desk: Desk, k: int, s: Symbol, i: int) -> None:
    """Steps 1 to 5 of bar `i` of the tape."""
    s.bar = i - s.first_bar
    s.time_ns = tape.time_ns[i]
    funded = s.next_funding < s.end_funding
    if funded:
        _pay_due(tape, desk, k, s, i, s.time_ns + 1)
    high, low = tape.high[i], tape.low[i]
    watched = s.up < _INF or s.down > -_INF
    is_exact = (watched and s.has_finer != 0) or (s.lots > 0 and s.leverage != 0.0)
    if high >= s.up or low <= s.down or is_exact:
        _fill_bar(tape, desk, k, s, i)
    else:
        s.lived_high = high
        s.lived_low = low
        if s.lots > 0:
            mark_lots(desk, k, s, high)
            mark_lots(desk, k, s, low)
    if funded:
        _pay_due(tape, desk, k, s, i, s.time_ns + s.timeframe_ns)


@compiled
def _end_bar(desk: Desk, k: int, s: Symbol) -> None:
    """Step 7, with `bar_close` timing."""
    if s.up <= s.mark or s.down >= s.mark:
        fill_market_orders(desk, k, s, s.mark)
        meet(desk, k, s, s.mark, s.mark)
        watch_orders(desk, k, s)


@compiled
def _next_time(tape: Tape, desk: Desk) -> int:
    """Open time of the next bar of any symbol, -1 at the end."""
    earliest = -1
    for k in range(desk.symbols.shape[0]):
        s = desk.symbols[k]
        if s.next_bar < s.end_bar:
            time_ns = tape.time_ns[s.next_bar]
            if earliest < 0 or time_ns < earliest:
                earliest = time_ns
    return earliest


@compiled
def run(tape: Tape, desk: Desk, most_trades: int) -> int:
    """Go on until the tape ends, or until a bar that makes `most_trades` trades might overfill the list.

    Returns 1 at the end of the tape, else 0: give more room for trades and call again.
    """
    account = desk.account[0]
    while True:
        time_ns = _next_time(tape, desk)
        if time_ns < 0:
            return 1
        if account.trades + most_trades > desk.trades.shape[0]:
            return 0
        for k in range(desk.symbols.shape[0]):
            s = desk.symbols[k]
            if s.next_bar < s.end_bar and tape.time_ns[s.next_bar] == time_ns:
                _happen(tape, desk, k, s, s.next_bar)
                s.next_bar += 1
        for k in range(desk.symbols.shape[0]):
            s = desk.symbols[k]
            if s.time_ns == time_ns:
                s.mark = tape.close[s.next_bar - 1]
        for k in range(desk.symbols.shape[0]):
            s = desk.symbols[k]
            if s.time_ns == time_ns:
                decide(tape, desk, k, s, s.next_bar - 1)
        for k in range(desk.symbols.shape[0]):
            s = desk.symbols[k]
            if s.time_ns == time_ns and s.on_close != 0:
                _end_bar(desk, k, s)
        desk.equity[account.times] = equity(desk)
        account.times += 1
