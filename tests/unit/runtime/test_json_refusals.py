"""JSON that was not expected is refused in one sentence: which key, what was given, what is expected."""

import msgspec
import pytest

from gateways.simulator.api import control_commands as command
from runtime.json_refusals import sentence


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        (dict[str, object], "[]", "expected an object, not []"),
        (
            command.Deposit,
            '{"amont": 1}',
            "amont: no such key (did you mean amount?); allowed: amount, account",
        ),
        (command.Deposit, "{}", "amount is missing; expected a number"),
        (command.Deposit, '{"amount": "abc"}', 'amount: expected a number, not "abc"'),
        (command.Deposit, '{"amount": null}', "amount: expected a number, not null"),
        (command.Deposit, "[1]", "expected an object with keys of amount, account, not [1]"),
        (command.Deposit, "{", "this is not JSON: Input data was truncated"),
        (
            command.Clock,
            '{"skew_ms": 1.5}',
            "skew_ms: expected a whole number from -86,400,000 to 86,400,000, not 1.5",
        ),
        (
            command.Drop,
            '{"route": "pubic"}',
            (
                'route: expected one of "", market, private, public or null, not "pubic"'
                " (did you mean public?)"
            ),
        ),
        (
            command.SocketSettings,
            '{"strict_routing": "no"}',
            'strict_routing: expected true or false or null, not "no"',
        ),
        (
            command.NewAccount,
            '{"account": "a b", "key": "k"}',
            'account: expected a name of 1 to 128 letters, digits, _, . and -, not "a b"',
        ),
        (
            command.Silence,
            '{"streams": ["a", 3]}',
            "streams[1]: expected text of at most 200 characters, not 3",
        ),
        (
            command.SetBrackets,
            '{"symbol": "BTCUSDT", "rows": [{"leverage": 0, "notional_cap": 1}]}',
            "rows[0].leverage: expected a whole number from 1 to 1,000, not 0",
        ),
        (
            command.SetBrackets,
            '{"symbol": "BTCUSDT", "rows": [{"levrage": 1}]}',
            (
                "rows[0].levrage: no such key (did you mean leverage?); "
                "allowed: leverage, notional_cap, maint_margin_ratio"
            ),
        ),
    ],
)
def test_a_wrong_body(kind: type, text: str, said: str) -> None:
    with pytest.raises(msgspec.DecodeError) as refused:
        msgspec.json.decode(text, type=kind)
    assert sentence(refused.value, text, kind) == said


def test_a_long_value_is_cut() -> None:
    text = msgspec.json.encode({"amount": "x" * 500})
    with pytest.raises(msgspec.DecodeError) as refused:
        msgspec.json.decode(text, type=command.Deposit)
    assert len(sentence(refused.value, text, command.Deposit)) < 100
