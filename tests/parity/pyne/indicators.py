"""
@pyne
"""

# Run by run_indicators.py inside pynesys-pynecore. The open is the one-price source; negative means na.
from pynecore.lib import bar_index, close, high, low, math, na, nz, script, ta
from pynecore.lib import open as open_
from pynecore.types import Series


@script.indicator(title="indicators")
def main():
    x: Series[float] = na(float) if open_ < 0 else open_
    c: Series[float] = close

    e1 = ta.ema(x, 5)
    e2 = ta.ema(e1, 5)
    e3: Series[float] = ta.ema(e2, 5)
    slow = ta.ema(x, 9)

    ch = c - nz(c[1], c)
    gain = ta.rma(math.max(ch, 0), 6)
    loss = ta.rma(math.max(-ch, 0), 6)
    tot = gain + loss

    pc = nz(c[1], c)
    bp = c - math.min(low, pc)
    tr = math.max(high, pc) - math.min(low, pc)
    b3, r3 = ta.sma(bp, 3), ta.sma(tr, 3)
    b5, r5 = ta.sma(bp, 5), ta.sma(tr, 5)
    b9, r9 = ta.sma(bp, 9), ta.sma(tr, 9)
    a3 = 0.0 if r3 * 3 == 0 else (b3 * 3) / (r3 * 3)
    a5 = 0.0 if r5 * 5 == 0 else (b5 * 5) / (r5 * 5)
    a9 = 0.0 if r9 * 9 == 0 else (b9 * 9) / (r9 * 9)
    ult = 100 * ((4 * a3) + (2 * a5) + a9) / 7

    macd, signal, histogram = ta.macd(x, 4, 7, 3)
    k = ta.sma(ta.stoch(close, high, low, 6), 2)
    middle, upper, lower = ta.bb(x, 6, 1.5)
    k_middle, k_upper, k_lower = ta.kc(close, 6, 1.5)
    trend, direction = ta.supertrend(2.0, 5)
    plus, minus, adx = ta.dmi(5, 4)
    conversion = (ta.lowest(low, 3) + ta.highest(high, 3)) / 2
    base = (ta.lowest(low, 5) + ta.highest(high, 5)) / 2
    lead_b = (ta.lowest(low, 9) + ta.highest(high, 9)) / 2
    top, bottom = ta.highest(high, 6), ta.lowest(low, 6)
    over = ta.crossover(x, slow)
    under = ta.crossunder(x, slow)

    return {
        "sma": ta.sma(x, 5),
        "ema": e1,
        "rma": ta.rma(x, 5),
        "wma": ta.wma(x, 5),
        "dema": 2 * e1 - e2,
        "tema": 3 * (e1 - e2) + e3,
        "hma": ta.hma(x, 9),
        "vwma": ta.vwma(x, 5),
        "mom": ta.mom(x, 5),
        "roc": ta.roc(close, 5),
        "rsi": ta.rsi(x, 5),
        "cci": ta.cci(x, 5),
        "cmo": ta.cmo(close, 5),
        "cmo_wilder": 100 * (gain - loss) / tot if tot != 0 else 0.0,
        "trix": na(float) if na(e3[1]) or e3[1] == 0 else 100 * (e3 / e3[1] - 1),
        "ppo": ((e1 - slow) / slow) * 100,
        "macd": macd,
        "macd.signal": signal,
        "macd.histogram": histogram,
        "ultosc": na(float) if bar_index < 9 else ult,
        "stochastic": k,
        "stochastic.d": ta.sma(k, 3),
        "williams_r": ta.wpr(6),
        "aroon": 100 * (ta.highestbars(high, 7) + 6) / 6,
        "aroon.down": 100 * (ta.lowestbars(low, 7) + 6) / 6,
        "mfi": ta.mfi(close, 5),
        "highest": ta.highest(x, 5),
        "lowest": ta.lowest(x, 5),
        "donchian": top,
        "donchian.middle": (top + bottom) / 2,
        "donchian.lower": bottom,
        "ichimoku": conversion,
        "ichimoku.base": base,
        "ichimoku.lead_a": (conversion + base) / 2,
        "ichimoku.lead_b": lead_b,
        "stdev": ta.stdev(x, 5),
        "bollinger": middle,
        "bollinger.upper": upper,
        "bollinger.lower": lower,
        "true_range": ta.tr,
        "atr": ta.atr(5),
        "keltner": k_middle,
        "keltner.upper": k_upper,
        "keltner.lower": k_lower,
        "supertrend": trend,
        "supertrend.direction": direction,
        "dmi": plus,
        "dmi.minus": minus,
        "dmi.adx": adx,
        "sar": ta.sar(0.02, 0.02, 0.2),
        "linreg": ta.linreg(x, 6, 1),
        "crossover": 1.0 if over else 0.0,
        "crossunder": 1.0 if under else 0.0,
        "obv": ta.obv,
        "vwap": ta.vwap(close, bar_index % 10 == 3),
    }
