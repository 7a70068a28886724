import pytest

from runtime.suggestions import SYMBOL_LIKENESS, allowed, did_you_mean


@pytest.mark.parametrize(
    ("name", "known", "said"),
    [
        ("kernal", ("kernel", "event"), " (did you mean kernel?)"),
        ("RSI", ("rsi", "cci"), " (did you mean rsi?)"),
        ("btcusdt", ("BTCUSDT",), " (did you mean BTCUSDT?)"),
        ("nothing like it", ("kernel", "event"), ""),
        ("anything", (), ""),
    ],
)
def test_only_a_name_that_is_alike_is_suggested(name: str, known: tuple[str, ...], said: str) -> None:
    assert did_you_mean(name, known) == said


def test_a_symbol_is_not_like_another_because_both_end_in_usdt() -> None:
    known = ("BTCUSDT", "XRPUSDT", "BTCUSDC")
    assert did_you_mean("XYZUSDT", known, likeness=SYMBOL_LIKENESS) == ""
    assert did_you_mean("BTCUSD", known, most=2, likeness=SYMBOL_LIKENESS) == (
        " (did you mean BTCUSDT or BTCUSDC?)"
    )


def test_a_refused_name_is_followed_by_all_that_are_allowed() -> None:
    assert allowed("lmit", ["limit", "seconds"]) == " (did you mean limit?); allowed: limit, seconds"
    assert allowed("limit", []) == "; allowed: none"
