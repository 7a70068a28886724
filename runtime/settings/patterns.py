"""The forms of texts in a configuration, and each in words for a person."""

SYMBOL = r"^[A-Z0-9_]{2,32}$"
TIMEFRAME = r"^[1-9][0-9]{0,3}[smhdw]$"
URL = r"^((https?|wss?)://[^\s/]+(/[^\s]*)?)?$"
RULE_NAME = r"^[a-z][a-z0-9_]{0,63}$"
OWNER = r"^([A-Za-z][A-Za-z0-9_]{0,63})?$"
STRATEGY_ID = r"^[a-z0-9]{1,8}$"
MARKET = r"^(synthetic(:(calm|trending|violent))?|(recording|klines|live):.+)$"

_IN_WORDS = {
    SYMBOL: "a symbol in capitals, like BTCUSDT",
    TIMEFRAME: "a whole number and one of s, m, h, d, w, like 15m or 4h",
    URL: "an address that begins with http://, https://, ws:// or wss://",
    RULE_NAME: "a name of small letters, digits and underscores that begins with a letter",
    OWNER: "a name of letters, digits and underscores that begins with a letter",
    STRATEGY_ID: "1 to 8 small letters and digits, like s1",
    MARKET: (
        "synthetic, synthetic:calm, synthetic:trending, synthetic:violent, recording:PATH, klines:PATH "
        "or live:URL"
    ),
}


def in_words(pattern: str) -> str:
    """What a text of that pattern is; a pattern of somebody else's is shown as it is."""
    return _IN_WORDS.get(pattern, f"text that matches {pattern}")
