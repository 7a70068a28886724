"""A configuration is right, or one sentence says which file, which key and what is allowed."""

import os
import re
import shutil
import socket
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from runtime.settings import (
    ENVIRONMENTS,
    Home,
    SettingsError,
    load_settings,
    refusals,
    timeframe_to_ns,
)
from runtime.settings.environment import free_port, port_variable, remembered_ports, resolve_port
from runtime.settings.models import CASH_LIMITS
from runtime.settings.page import page
from tests.support.places import ROOT


@pytest.fixture
def home(tmp_path: Path) -> Home:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    return Home(tmp_path)


def change(home: Home, environment: str, old: str, new: str) -> None:
    path = home.config(environment)
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")


def complaint(home: Home, environment: str = "demo", **arguments: bool) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(environment, home=home, **arguments)  # type: ignore[arg-type]  # flags only
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("environment", [name for name in ENVIRONMENTS if name != "live"])
def test_the_committed_configurations_load(home: Home, environment: str) -> None:
    settings = load_settings(environment, home=home)
    assert settings.environment == environment
    assert settings.gateway.rest_url
    assert settings.gateway.private_stream_url
    assert settings.data_dir == home.root / "data" / environment
    assert [one.id for one in settings.strategies] == ["s1"]


def test_the_demo_runs_windows_of_at_most_ten_one_second_candles(home: Home) -> None:
    (strategy,) = load_settings("demo", home=home).strategies
    assert strategy.timeframe_ns == 1_000_000_000
    assert all(isinstance(value, int) and value <= 10 for value in strategy.params.values())


def test_the_committed_live_configuration_does_not_start(home: Home) -> None:
    assert "i_trade_real_money" in complaint(home, "live", accept_real_orders=True)


def test_live_needs_the_word_and_the_flag_and_names_what_is_missing(home: Home) -> None:
    flag, word = "--i-accept-real-orders", "i_trade_real_money must be"
    path = home.config("live")
    both = complaint(home, "live")
    assert both.startswith(f"{path}: {word}")
    assert both.endswith(f"{flag} is missing on the command line, too")
    only_the_word = complaint(home, "live", accept_real_orders=True)
    assert only_the_word.startswith(f"{path}: {word}")
    assert flag not in only_the_word
    change(home, "live", 'i_trade_real_money = "no"', 'i_trade_real_money = "live"')
    only_the_flag = complaint(home, "live")
    assert only_the_flag.startswith("the command line: ")
    assert flag in only_the_flag
    assert word not in only_the_flag
    assert load_settings("live", accept_real_orders=True, home=home).environment == "live"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("max_leverage = 3", "max_levrage = 3", ["risk.max_levrage is not a known key", "max_leverage?"]),
        ("max_leverage = 3", 'max_leverage = "much"', ["risk.max_leverage", '"much"', "number"]),
        ("max_leverage = 3", "max_leverage = 0", ["risk.max_leverage is 0", "greater than 0"]),
        ("max_leverage = 3", "max_leverage = nan", ["risk.max_leverage"]),
        ("max_leverage = 3\n", "", ["risk.max_leverage is missing"]),
        (
            'candles = "mid"',
            'candles = "mid"\nprotective_stop_percent = 100',
            ["strategies[0].protective_stop_percent is 100", "less than 100"],
        ),
        ("max_open_orders = 20", "max_open_orders = 20.5", ["risk.max_open_orders is 20.5", "an integer"]),
        ("max_open_orders = 20", "max_open_orders = true", ["risk.max_open_orders is true", "integer"]),
        ("enabled = true", "enabled = 1", ["simulator.enabled is 1", "boolean"]),
        ("enabled = true", "enabled = false", ["simulator.enabled must be true in demo"]),
        ('candles = "mid"', 'candles = "middle"', ["strategies[0].candles", "'mid', 'trade' or 'exchange'"]),
        ('timeframe = "1s"', 'timeframe = "one"', ["should be a whole number and one of s, m, h"]),
        ('market = "synthetic"', 'market = "real"', ['simulator.market is "real", it should be synthetic, ']),
        ('market = "synthetic"', 'market = "synthetic:wild"', ["simulator.market", "trending"]),
        ('["BTCUSDT"]', "[]", ["symbols is []", "at least 1"]),
        ('["BTCUSDT"]', '["btcusdt"]', ['symbols[0] is "btcusdt", it should be a symbol in capitals']),
        ('["BTCUSDT"]', '["ETHUSDT"]', ["strategies[0]", "BTCUSDT is not among symbols"]),
        ("[risk]", "[rsik]", ["is not a known key"]),
        ("[risk]", 'api_secret = "hunter2"\n[risk]', ["simulator.api_secret is not a known key"]),
        ("[risk]", "[risk", ["is not TOML"]),
        ("[risk]", "[clock]\nspeed = 2.0\n[risk]", ["clock.epoch_ms"]),
        (
            "[risk]",
            "[clock]\nspeed = 2.0\nepoch_ms = 99_999_999_999_999_999\n[risk]",
            ["clock.epoch_ms is", "less than"],
        ),
        ('symbols = ["BTCUSDT"]', 'environment = "live"\nsymbols = ["BTCUSDT"]', ["must be 'demo'"]),
        ('symbols = ["BTCUSDT"]', 'home = "/"\nsymbols = ["BTCUSDT"]', ["home is not a known key"]),
        *(
            ("[risk]", f'[wire]\ntoken_file = "{name}"\n[risk]', ["wire.token_file", "a file inside vault/"])
            for name in ("../engine/main.py", "/etc/passwd", "a\\\\b", "c:keys", "..", "", "a\\u0000b")
        ),
        ("[risk]", '[gateway]\nkeys_file = "../x"\n[risk]', ["gateway.keys_file", "a file inside vault/"]),
        ("[risk]", '[telegram]\nkeys_file = "../x"\n[risk]', ["telegram.keys_file", "a file inside vault/"]),
        ("[risk]", '[gateway]\nrest_url = "ftp://x"\n[risk]', ["should be an address that begins with http"]),
        ("value = 200", "value = -1", ["strategies[0].sizing.value is -1", "greater than 0"]),
        ("short = 2", "short = [3]", ["strategies[0].params.short"]),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_with_file_key_and_what_is_allowed(
    home: Home, old: str, new: str, said: list[str]
) -> None:
    change(home, "demo", old, new)
    sentence = complaint(home)
    assert sentence.startswith(str(home.config("demo")))
    for part in said:
        assert part in sentence
    assert "hunter2" not in sentence
    assert "^" not in sentence


@pytest.mark.parametrize(
    ("mistakes", "more"), [({"1s": "0s"}, ""), ({"1s": "0s", "mid": "no"}, "(and 1 more)")]
)
def test_only_mistakes_of_ones_own_are_counted(home: Home, mistakes: dict[str, str], more: str) -> None:
    for old, new in mistakes.items():
        change(home, "demo", f'= "{old}"', f'= "{new}"')
    sentence = complaint(home)
    assert ("more)" in sentence) == bool(more)
    assert sentence.endswith(more)


def test_a_missing_file_and_an_unknown_environment_are_said(home: Home) -> None:
    home.config("paper").unlink()
    assert "paper.toml does not exist" in complaint(home, "paper")
    assert "demo, paper, testnet, live" in complaint(home, "prod")


def test_a_file_that_is_no_text_is_said(home: Home) -> None:
    home.config("demo").write_bytes(b"\xff\xfe\x00")
    assert str(home.config("demo")) in complaint(home)


def test_testnet_needs_a_protective_stop_or_the_word_unprotected(home: Home) -> None:
    change(home, "testnet", "protective_stop_percent = 3", "")
    assert "protective_stop_percent, or unprotected = true" in complaint(home, "testnet")
    change(home, "testnet", 'timeframe = "1m"', 'timeframe = "1m"\nunprotected = true')
    assert load_settings("testnet", home=home).strategies[0].unprotected


@pytest.mark.parametrize("limit", CASH_LIMITS)
def test_cash_above_what_one_entry_may_be_is_refused(home: Home, limit: str) -> None:
    path = home.config("demo")
    others = re.sub(f"{limit} = .*\n", "", path.read_text("utf-8"))
    path.write_text(others.replace("[risk]\n", f"[risk]\n{limit} = 199\n"), "utf-8")
    expected = f"sizing.value is 200, above risk.{limit} (199): no entry of that size would be allowed"
    assert expected in complaint(home)
    path.write_text(path.read_text("utf-8").replace(f"{limit} = 199", f"{limit} = 200"), "utf-8")
    assert load_settings("demo", home=home).strategies[0].sizing.value == 200


def test_a_dead_mans_switch_that_would_use_up_the_request_limit_is_refused(home: Home) -> None:
    many = ", ".join(f'"S{number}USDT"' for number in range(100))
    change(home, "testnet", 'symbols = ["BTCUSDT"]\n\n', f'symbols = ["BTCUSDT", {many}]\n\n')
    change(home, "testnet", "[gateway]", "[gateway]\ndead_man_seconds = 30")
    assert "gateway.dead_man_seconds is 30, which for 101 symbols" in complaint(home, "testnet")
    assert complaint(home, "testnet").endswith("allowed: 0 or at least 202")
    change(home, "testnet", "dead_man_seconds = 30", "dead_man_seconds = 202")
    assert load_settings("testnet", home=home).gateway.dead_man_seconds == 202


def test_two_strategies_share_a_symbol_only_when_both_say_netting(home: Home) -> None:
    path = home.config("demo")
    again = '\n[[strategies]]\nname = "ema_cross"\nsymbols = ["BTCUSDT"]\ntimeframe = "1s"\n'
    path.write_text(path.read_text() + again)
    assert "netting = true" in complaint(home)
    path.write_text(path.read_text().replace("unprotected = true", "unprotected = true\nnetting = true"))
    assert "netting = true" in complaint(home)
    path.write_text(path.read_text() + "netting = true\n")
    assert len(load_settings("demo", home=home).strategies) == 2


def test_a_symbol_on_the_command_line_leaves_only_that_one(home: Home) -> None:
    settings = load_settings("demo", "ETHUSDT", home=home)
    assert settings.symbols == ("ETHUSDT",)
    assert settings.strategies[0].symbols == ("ETHUSDT",)


def test_a_word_that_is_no_symbol_is_not_blamed_on_the_file(home: Home) -> None:
    with pytest.raises(SettingsError, match="the command line: 'extra' is not a symbol"):
        load_settings("demo", "extra", home=home)


def test_processes_started_by_hand_meet_on_the_same_ports(home: Home) -> None:
    first, second = load_settings("demo", home=home), load_settings("demo", home=home)
    assert first == second
    assert first.wire.port != first.simulator.port
    assert first.gateway.rest_url == f"http://127.0.0.1:{first.simulator.port}"


def test_the_supervisors_port_wins_over_the_remembered_one(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_settings("demo", home=home)
    monkeypatch.setenv(port_variable("wire"), "12345")
    assert load_settings("demo", home=home).wire.port == 12345


def test_a_broken_memory_of_ports_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "ports.json").write_text("{nonsense")
    assert remembered_ports(tmp_path) == {}
    port = resolve_port("wire", 0, tmp_path)
    assert remembered_ports(tmp_path) == {"wire": port}


def test_a_free_port_can_be_listened_on() -> None:
    with socket.create_server(("127.0.0.1", free_port())):
        pass


def test_a_timeframe_is_a_number_and_a_unit() -> None:
    assert timeframe_to_ns("15m") == 900 * 10**9
    assert timeframe_to_ns("1d") == 86_400 * 10**9
    for wrong in ("", "m", "0m", "1M", "1.5h", "-1s"):
        with pytest.raises(ValueError, match="timeframe"):
            timeframe_to_ns(wrong)


def test_the_environment_can_live_outside_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEXTBAR_HOME", str(tmp_path))
    assert Home.find().root == tmp_path.resolve()
    monkeypatch.delenv("NEXTBAR_HOME")
    assert Home.find().root == ROOT
    assert os.fspath(Home.find().vault).endswith("vault")


def test_the_configuration_page_says_what_the_models_say() -> None:
    assert (ROOT / "docs" / "configuration.md").read_text("utf-8") == page()


LIVE_REST, LIVE_STREAM = "https://fapi.binance.com", "wss://fstream.binance.com"
DEMO_REST, DEMO_STREAM = "https://demo-fapi.binance.com", "wss://demo-fstream.binance.com"


@pytest.mark.parametrize(
    ("environment", "old", "new", "said"),
    [
        ("testnet", f'"{DEMO_REST}', f'"{LIVE_REST}', "gateway.rest_url is the real exchange"),
        (
            "testnet",
            f"{DEMO_STREAM}/private",
            f"{LIVE_STREAM}/private",
            "private_stream_url is the real exchange",
        ),
        (
            "demo",
            "[risk]",
            f'[gateway]\nrest_url = "{LIVE_REST}"\n[risk]',
            "gateway.rest_url is the real exchange",
        ),
        ("live", LIVE_REST, DEMO_REST, "gateway.rest_url is Binance's test exchange"),
        ("live", LIVE_REST, "https://testnet.binancefuture.com", "is Binance's test exchange"),
        (
            "live",
            f"{LIVE_STREAM}/public",
            f"{DEMO_STREAM}/public",
            "public_stream_url is Binance's test exchange",
        ),
        ("live", "https://", "http://", "gateway.rest_url must begin with https://"),
        ("live", "wss://", "ws://", "gateway.public_stream_url must begin with wss://"),
        ("live", LIVE_REST, f"{LIVE_REST}/fapi/v1", "gateway.rest_url must have no path"),
        ("live", "/market", "/public", "gateway.market_stream_url must end in /market"),
        ("live", "com/private", "com", "gateway.private_stream_url must end in /private"),
        ("live", "com/public", "com/public/ws", "gateway.public_stream_url must end in /public"),
        ("live", "fapi.binance.com", "fapi.binance.com:99999", "gateway.rest_url is not an address"),
        ("live", '"1h"', '"7m"', "the exchange has no 7m candles"),
        (
            "demo",
            '"1s"',
            '"7m"',
            "demo.toml: strategies[0] (sma_crossover_inflection): timeframe: the exchange",
        ),
        ("demo", '"1s"', '"120s"', "has no 120s candles to warm up with"),
        ("live", '"1h"', '"1s"', "the exchange has no 1s candles"),
    ],
)
def test_an_address_or_timeframe_that_could_not_work_starts_nothing(
    home: Home, environment: str, old: str, new: str, said: str
) -> None:
    if environment == "live":
        change(home, "live", 'i_trade_real_money = "no"', 'i_trade_real_money = "live"')
    change(home, environment, old, new)
    assert said in complaint(home, environment, accept_real_orders=True)


def test_a_file_written_by_notepad_is_read(home: Home) -> None:
    path = home.config("demo")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert load_settings("demo", home=home).symbols == ("BTCUSDT",)


def test_the_fees_of_an_overnight_demo_reach_neither_its_daily_loss_nor_its_wallet() -> None:
    settings = load_settings("demo", home=Home(ROOT))
    (strategy,) = settings.strategies
    fills_an_hour, taker_fee, hours, wallet = 1_000, Decimal("0.0005"), 24, 10_000
    assert strategy.sizing.kind == "cash"
    fees = fills_an_hour * hours * taker_fee * strategy.sizing.value
    assert 2 * fees < settings.risk.max_daily_loss_quote < wallet


class _Example(BaseModel):
    share: float = Field(default=0.5, ge=0.0, le=1.0, description="Part of the whole.\nMore about it.")
    name: str = Field(default="a", min_length=1)
    kind: Literal["one", "two"] = "one"
    at: AwareDatetime | None = None
    inner: dict[str, int] = Field(default_factory=dict)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"share": 2}, "share is 2, it should be at most 1 (part of the whole)"),
        ({"share": "much"}, 'share is "much", it should be a number (part of the whole)'),
        ({"name": ""}, 'name is "", it should be text that is not empty'),
        ({"kind": "three"}, "kind is \"three\", it should be 'one' or 'two'"),
        ({"at": "soon"}, 'at is "soon", it should be a time, like 2025-01-31T14:00:00Z'),
        ({"at": "2025-01-01T00:00:00"}, "it should be a time with a zone, like 2025-01-31T14:00:00Z"),
        ({"inner": 3}, "inner is 3, it should be keys with values"),
        ({"inner": {"a": 1.5}}, "inner.a is 1.5, it should be an integer"),
    ],
)
def test_what_pydantic_refuses_is_said_in_words_of_our_own(raw: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        _Example.model_validate(raw)
    sentence = refusals.sentence(refused.value, _Example)
    assert said in sentence
    assert "\n" not in sentence
