"""The ten TradingView strategies: one vocabulary, indicators as documented, signals as the levels say."""

import pickle
import re
from collections.abc import Callable

import numpy as np
import pytest
from pydantic import ValidationError

from engine.indicators.averages import Ema
from engine.indicators.catalog import INDICATORS
from engine.model.bars import Bar, Bars
from engine.model.exit_rules import ExitRules
from engine.strategies.base import SignalStrategy, registry
from engine.strategies.library.thresholds import ThresholdStrategy
from tests.support.places import ROOT

TEN = ("bband", "cci", "cmo", "mom", "ppo", "roc", "rsi", "tema", "trix", "ultosc")
SIGNAL_STRATEGIES = (*TEN, "ema_cross", "sma_crossover_inflection")

VARIANTS: dict[str, tuple[dict[str, object], ...]] = {
    "bband": (
        {},
        {"ma_type": "sma", "source": "hlc3", "exit_mode": "midpoint", "signal_mode": "mean_reversion"},
    ),
    "cci": ({}, {"source": "hlc3"}),
    "cmo": ({}, {"smoothing": "wilder", "length": 7, "exit_mode": "midpoint"}),
    "mom": (
        {"length": 4, "upper": 1.0, "lower": -1.0, "mid": 0.5},
        {"length": 3, "upper": 2.0, "lower": -2.0, "exit_mode": "midpoint"},
    ),
    "ppo": ({"fast_length": 4, "slow_length": 9, "upper": 0.1, "lower": -0.1}, {"ma_type": "sma"}),
    "roc": ({}, {"signal_mode": "momentum"}),
    "rsi": ({"length": 5}, {"source": "hlc3", "length": 3, "exit_mode": "midpoint"}),
    "tema": ({"fast_length": 3, "slow_length": 8}, {}),
    "trix": ({"length": 2}, {"length": 2, "signal_mode": "mean_reversion", "exit_mode": "midpoint"}),
    "ultosc": ({"length1": 2, "length2": 3, "length3": 4}, {}),
    "ema_cross": ({"fast": 3, "slow": 8},),
    "sma_crossover_inflection": ({"short": 2, "long": 6, "smoothing": 2},),
}
CASES = [(name, params) for name in SIGNAL_STRATEGIES for params in VARIANTS[name]]


def _bars(n: int, seed: int = 1, start: int = 0) -> Bars:
    random = np.random.default_rng(seed)
    close = 100 + np.cumsum(random.normal(size=n))
    open_ = np.concatenate([close[:1], close[:-1]])
    high = np.maximum(open_, close) + random.uniform(0, 1, n)
    low = np.minimum(open_, close) - random.uniform(0, 1, n)
    columns = (column[start:] for column in (open_, high, low, close, random.uniform(1, 9, n)))
    return Bars("X", 60, np.arange(start, n, dtype=np.int64) * 60, *columns)


def _strategy(name: str, params: dict[str, object]) -> SignalStrategy:
    made = registry.get(name).from_params(params)
    assert isinstance(made, SignalStrategy)
    return made


@pytest.mark.parametrize(("name", "params"), CASES)
def test_streaming_gives_the_bits_of_batch(name: str, params: dict[str, object]):
    bars = _bars(700)
    strategy = _strategy(name, params)
    arrays = strategy.batch(bars)
    assert arrays.enter_long.any()
    assert arrays.enter_short.any()
    for i in range(len(bars)):
        bar = Bar(
            "X",
            60,
            i * 60,
            *(float(c[i]) for c in (bars.open, bars.high, bars.low, bars.close, bars.volume_base)),
        )
        signals = strategy.on_bar(bar)
        flags = (signals.enter_long, signals.enter_short, signals.exit_long, signals.exit_short)
        assert flags == tuple(
            a[i] for a in (arrays.enter_long, arrays.enter_short, arrays.exit_long, arrays.exit_short)
        )
        assert np.array(signals.values).tobytes() == np.ascontiguousarray(arrays.values[:, i]).tobytes()
    again = strategy.batch(bars)
    assert again.values.tobytes() == arrays.values.tobytes()


@pytest.mark.parametrize(("name", "params"), CASES)
def test_after_warm_up_signals_do_not_depend_on_where_history_began(name: str, params: dict[str, object]):
    strategy = _strategy(name, params)
    warm, skipped = strategy.warmup_bars, 500
    n = warm + skipped + 800
    long, short = strategy.batch(_bars(n)), strategy.batch(_bars(n, start=skipped))
    settled = warm
    if name == "sma_crossover_inflection":  # the first turn must have been seen once
        settled += int(np.flatnonzero(short.enter_long[warm:] | short.enter_short[warm:])[0]) + 1
    for flag in ("enter_long", "enter_short", "exit_long", "exit_short"):
        a, b = getattr(long, flag)[skipped + settled :], getattr(short, flag)[settled:]
        assert np.array_equal(a, b), flag
    np.testing.assert_allclose(long.values[:, skipped + warm :], short.values[:, warm:], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", TEN)
def test_all_ten_accept_the_common_vocabulary(name: str):
    common = {
        "signal_mode": "mean_reversion",
        "exit_mode": "midpoint",
        "stop_loss_percent": None,
        "take_profit_percent": 3.0,
        "max_holding_bars": None,
        "max_holding_strict": True,
        "cooldown_bars": 4,
        "allow_flip": False,
        "flip_needs_cooldown": True,
        "entry_bar": "fill_bar",
    }
    assert set(common) == set(ThresholdStrategy.Params.model_fields)
    strategy = _strategy(name, common)
    assert strategy.exit_rules == ExitRules(
        take_profit_percent=3.0,
        max_holding_strict=True,
        cooldown_bars=4,
        allow_flip=False,
        flip_needs_cooldown=True,
        entry_bar="fill_bar",
    )


@pytest.mark.parametrize("name", TEN)
def test_an_unknown_parameter_is_named(name: str):
    with pytest.raises(ValidationError, match="lenght"):
        _strategy(name, {"lenght": 3})
    with pytest.raises(ValidationError, match="stop_loss_percent"):
        _strategy(name, {"stop_loss_percent": -1})


def test_every_strategy_is_found_by_its_file_and_named_as_it():
    files = (ROOT / "engine" / "strategies" / "library").glob("*.py")
    registering = {path.stem for path in files if "\n@registry.register" in path.read_text(encoding="utf-8")}
    assert registering >= set(SIGNAL_STRATEGIES)
    assert registering <= set(registry.names())
    assert all(registry.get(name).__module__ == f"engine.strategies.library.{name}" for name in registering)


def test_strategies_and_indicators_can_be_sent_to_another_process_with_what_they_have_seen():
    strategy, ema = _strategy("rsi", {"length": 3}), Ema(2)
    bars = [Bar("X", 60, i * 60, x, x, x, x) for i, x in enumerate([1.0, 2.0, 1.5, 3.0, 2.0, 2.5])]
    for bar in bars[:4]:
        strategy.on_bar(bar)
        ema.update(bar.close)
    data = pickle.dumps((strategy, ema))
    assert len(data) < 4000  # no compiled code inside
    other_strategy, other_ema = pickle.loads(data)
    for bar in bars[4:]:
        assert other_strategy.on_bar(bar) == strategy.on_bar(bar)
        assert other_ema.update(bar.close) == ema.update(bar.close)


def _values(name: str, *settings: object) -> Callable[..., np.ndarray]:
    return INDICATORS[name](*settings).run


def test_values_are_the_indicators():
    bars = _bars(400)
    hlc3 = (bars.high + bars.low + bars.close) / 3.0
    upper = _values("ema", 16)(bars.close) + 1.41 * _values("stdev", 16)(bars.close)
    for name, params, expected in (
        ("rsi", {"length": 9}, _values("rsi", 9)(bars.close)),
        ("cci", {"source": "hlc3"}, _values("cci", 14)(hlc3)),
        ("cmo", {"smoothing": "sum"}, _values("cmo", 24)(bars.close)),
        ("cmo", {"smoothing": "wilder"}, _values("cmo_wilder", 24)(bars.close)),
        ("ppo", {"fast_length": 3, "slow_length": 9}, _values("ppo", 3, 9, "dema")(bars.close)),
        ("ultosc", {}, _values("ultosc", 14, 28, 36)(bars.high, bars.low, bars.close)),
        ("bband", {"ma_type": "ema"}, upper),
        ("tema", {}, _values("tema", 14)(bars.close)),
    ):
        assert np.array_equal(_strategy(name, params).batch(bars).values[0], expected, equal_nan=True), name


def _momentum_flags(changes: list[float], **params: object) -> list[str]:
    """Flags of mom(close, 1) with levels 2, -2 and mid 0 on given one-bar changes."""
    close = 100 + np.cumsum([0.0, *changes])
    z = np.zeros(len(close))
    settings = {"length": 1, "upper": 2.0, "lower": -2.0, "mid": 0.0, **params}
    bars = Bars("X", 60, np.arange(len(close), dtype=np.int64), close, close, close, close, z)
    arrays = _strategy("mom", settings).batch(bars)
    letters = []
    for i in range(2, len(close)):
        flags = (arrays.enter_long[i], arrays.enter_short[i], arrays.exit_long[i], arrays.exit_short[i])
        letters.append("".join(letter for letter, flag in zip("LSls", flags, strict=True) if flag))
    return letters


def test_momentum_enters_with_the_move_and_leaves_through_mid():
    changes = [1, 2, 3, 1, 0, -1, -2, -1, 1]
    assert _momentum_flags(changes) == ["L", "", "", "", "", "S", "", ""]
    assert _momentum_flags(changes, exit_mode="midpoint") == ["L", "", "", "l", "", "S", "", "s"]


def test_mean_reversion_enters_on_the_way_back():
    changes = [1, 3, 1, -3, -1, 1]
    assert _momentum_flags(changes, signal_mode="mean_reversion") == ["", "S", "", "L", ""]
    with_mid = _momentum_flags(changes, signal_mode="mean_reversion", exit_mode="midpoint")
    assert with_mid == ["", "S", "s", "L", "l"]


def test_roc_does_not_flip_unless_asked():
    assert not _strategy("roc", {}).exit_rules.allow_flip
    assert _strategy("roc", {"allow_flip": True}).exit_rules.allow_flip


@pytest.mark.parametrize("name", SIGNAL_STRATEGIES)
def test_the_pine_script_has_our_parameters_with_our_defaults(name: str):
    text = (ROOT / "research" / "pine" / f"{name}.pine").read_text(encoding="utf-8")
    inputs = {title: default for default, title in re.findall(r'= input\.\w+\(([^,]+), "(\w+)"', text)}
    fields = registry.get(name).Params.model_fields
    if issubclass(registry.get(name), ThresholdStrategy):
        assert set(inputs) == set(fields)
    else:
        assert set(inputs) == set(fields) | set(ThresholdStrategy.Params.model_fields)
    off = {"stop_loss_percent": "0.0", "take_profit_percent": "0.0", "max_holding_bars": "-1"}
    for title, default in inputs.items():
        field = fields.get(title, ThresholdStrategy.Params.model_fields.get(title))
        assert field is not None
        value = field.default
        expected = (
            off[title] if value is None else str(value).lower() if isinstance(value, bool) else str(value)
        )
        assert default == (f'"{expected}"' if isinstance(value, str) else expected), title
