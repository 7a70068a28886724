"""Delivery over real HTTP against a stand-in of Telegram's Bot API."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from aiohttp import web

from engine.notifications.center import NotificationCenter
from engine.notifications.model import Level, Notification
from engine.notifications.telegram import TelegramSink
from engine.shell.observers import Observers
from runtime.settings import Settings
from runtime.settings.load import parse_settings
from tests.support.bot_api import CHAT, KEYS, TOKEN, BotApi, Sleeper, lines, refused
from tests.support.places import ROOT
from tests.support.record_samples import fill


def telegram(
    api: BotApi,
    sleep: Sleeper,
    level: Level = "info",
    capacity: int = 500,
    keep_in: Path | None = None,
    read_timeout_s: float = 10.0,
) -> NotificationCenter:
    sink = TelegramSink(KEYS, api_url=api.url, sleep=sleep, read_timeout_s=read_timeout_s)
    return NotificationCenter([(sink, level)], capacity=capacity, keep_in=keep_in)


def test_messages_arrive_in_order_with_a_pause_between_them():
    sleep = Sleeper()
    with BotApi() as api:
        center = telegram(api, sleep)
        center.publish(Notification("info", "before the start"))
        center.start()
        for number in range(5):
            center.publish(Notification("info", f"number {number}"))
        center.publish(Notification("critical", "position without a stop"))
        assert center.stop(10)
    assert lines(api)[:6] == ["before the start", *(f"number {number}" for number in range(5))]
    assert lines(api)[6].endswith("position without a stop")
    assert sleep.slept == [1.0] * len(api.received)


def test_a_storm_is_a_few_messages_and_the_critical_one_among_them_does_not_wait():
    sleep = Sleeper()
    sleep.held = threading.Event()
    with BotApi() as api:
        center = telegram(api, sleep)
        center.start()
        center.publish(Notification("info", "first"))
        assert sleep.called.wait(20)
        texts = [f"fill {number}: BUY 0.001 BTCUSDT at 50000.0 fee 0.02 USDT" for number in range(400)]
        for text in texts:
            center.publish(Notification("info", text))
        center.publish(Notification("critical", "position without a stop"))
        sleep.held.set()
        assert center.stop(20)
    assert lines(api)[1:-1] == texts
    assert lines(api)[-1].endswith("position without a stop")
    assert len(api.received) < 15
    assert max(len(text) for text in api.received) <= 4096


def test_texts_are_sent_as_they_are_without_markup():
    text = "<b>5 < 6</b> *a_b* [x](y) & `z` \\ {1}"
    with BotApi() as api:
        center = telegram(api, Sleeper())
        center.start()
        center.publish(Notification("info", text))
        assert center.stop(10)
    assert api.received == [text]
    assert "parse_mode" not in api.forms[0]


def test_flood_control_is_waited_for_and_nothing_is_lost():
    sleep = Sleeper()
    with BotApi() as api:
        api.script = [refused(429, "Too Many Requests: retry after 17", retry_after=17)]
        center = telegram(api, sleep)
        center.start()
        center.publish(Notification("warning", "one"))
        center.publish(Notification("warning", "two"))
        assert center.stop(10)
    assert [text[-3:] for text in lines(api)] == ["one", "two"]
    assert sleep.slept == [17.0] + [1.0] * len(api.received)


def test_a_server_that_is_down_is_tried_again_ever_more_slowly(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    sleep = Sleeper()
    sleep.held = threading.Event()
    with BotApi(listen=False) as api:
        center = telegram(api, sleep)
        center.start()
        center.publish(Notification("info", "late but there"))
        assert sleep.called.wait(20)
        api.script = [web.Response(status=502), web.Response(status=500, text="<html>oops</html>")]
        api.listen()
        sleep.held.set()
        api.wait(lambda: bool(api.received))
        assert center.stop(10)
    assert api.received == ["late but there"]
    assert sleep.slept == [1.0, 2.0, 4.0, 1.0]
    assert TOKEN not in caplog.text
    assert "AbCdEf" not in caplog.text


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refused(400, "Bad Request: message is too strange"), "Message is too strange"),
        (refused(400, "Bad Request: can't parse entities: at byte 3"), "Can't parse entities: at byte 3"),
        (refused(400, "Bad Request: chat not found"), "open the chat with the bot, press Start"),
        (
            refused(403, "Forbidden: bot was blocked by the user"),
            "bot was blocked by the user; open the chat",
        ),
        (refused(400, "Bad Request: upgraded", migrate_to_chat_id=-1009), "its chat_id is now -1009"),
        (refused(400, f"Bad Request: /bot{TOKEN}/x"), "/bot***/x"),
    ],
)
def test_a_refused_message_is_dropped_once_said_why_and_the_next_one_goes_out(
    caplog: pytest.LogCaptureFixture, answer: web.Response, reason: str
):
    with BotApi() as api:
        api.script = [answer]
        center = telegram(api, Sleeper())
        center.start()
        center.publish(Notification("info", "strange"))
        api.wait(lambda: api.attempts == 1)
        center.publish(Notification("info", "plain"))
        assert center.stop(10)
    assert api.received == ["plain"]
    assert caplog.messages[0].startswith(f"Telegram refuses messages to chat {CHAT}: ")
    assert reason in caplog.messages[0]
    assert caplog.messages[1:] == ["Telegram accepts messages again"]
    assert "AbCdEf" not in caplog.text


def test_a_chat_that_blocks_the_bot_is_one_line_however_many_messages_it_refuses(
    caplog: pytest.LogCaptureFixture,
):
    sleep = Sleeper()
    with BotApi() as api:
        api.script = [refused(403, "Forbidden: bot was blocked by the user") for _ in range(5)]
        center = telegram(api, sleep)
        center.start()
        for number in range(5):
            center.publish(Notification("info", str(number)))
            api.wait(lambda wanted=number + 1: api.attempts == wanted)
        assert center.stop(10)
    assert len(caplog.messages) == 1


def test_an_unknown_token_is_one_sentence_and_tried_again_after_a_while(caplog: pytest.LogCaptureFixture):
    sleep = Sleeper()
    with BotApi() as api:
        api.script = [refused(401, "Unauthorized"), refused(404, "Not Found")]
        center = telegram(api, sleep)
        center.start()
        center.publish(Notification("info", "still there"))
        assert center.stop(10)
    assert sleep.slept == [600.0, 600.0, 1.0]
    assert api.received == ["still there"]
    assert caplog.text.count("does not know the bot token") == 1
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    "answer",
    [web.Response(text="<html>please log in</html>"), web.Response(status=429), web.Response(status=504)],
)
def test_an_answer_that_is_not_telegrams_loses_nothing(
    caplog: pytest.LogCaptureFixture, answer: web.Response
):
    sleep = Sleeper()
    with BotApi() as api:
        api.script = [answer]
        center = telegram(api, sleep)
        center.start()
        center.publish(Notification("critical", "position without a stop"))
        assert center.stop(10)
    assert len(api.received) == 1
    assert sleep.slept == [1.0, 1.0]
    assert caplog.messages[0].startswith("Telegram cannot be reached, messages wait: ")


def test_a_server_that_hangs_is_given_up_and_tried_again(caplog: pytest.LogCaptureFixture):
    sleep = Sleeper()
    with BotApi() as api:
        api.hang = True
        center = telegram(api, sleep, read_timeout_s=0.2)
        center.start()
        center.publish(Notification("info", "patience"))
        assert sleep.called.wait(20)
        api.hang = False
        api.wait(lambda: bool(api.received))
        assert center.stop(10)
    assert set(api.received) == {"patience"}
    assert caplog.messages == [
        "Telegram cannot be reached, messages wait: Timed out",
        "Telegram accepts messages again",
    ]


def test_a_name_that_cannot_be_resolved_is_one_line_without_the_token(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
):
    caplog.set_level(logging.DEBUG)
    sleep = Sleeper()
    sleep.held = threading.Event()
    sink = TelegramSink(KEYS, api_url="https://telegram.invalid/bot", sleep=sleep)
    center = NotificationCenter([(sink, "info")])
    center.start()
    center.publish(Notification("info", "nobody hears it"))
    assert sleep.called.wait(20)
    sleep.held.set()
    assert not center.stop(0.05)
    said = [record.getMessage() for record in caplog.records if record.name.startswith("engine")]
    assert said[0].startswith("Telegram cannot be reached, messages wait: httpx.ConnectError")
    assert said[1:] == ["1 notifications were not delivered"]
    assert "AbCdEf" not in caplog.text + "".join(capfd.readouterr())


def test_critical_ones_that_could_not_be_delivered_are_told_by_the_next_start_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    happened_ns = 1_700_000_000 * 10**9
    with BotApi(listen=False) as api:
        dead = NotificationCenter([(TelegramSink(KEYS, api_url=api.url), "info")], keep_in=tmp_path)
        dead.start()
        dead.publish(Notification("critical", "position without a stop", time_ns=happened_ns))
        dead.publish(Notification("info", "a fill"))
        dead.publish(Notification("critical", "liquidation near", time_ns=happened_ns))
        assert not dead.stop(0.05)
        assert "3 notifications were not delivered; critical ones are kept for the next start" in caplog.text
        api.listen()
        for _ in range(2):
            center = telegram(api, Sleeper(), keep_in=tmp_path)
            center.start()
            assert center.stop(10)
    assert [text[text.index("[") :] for text in lines(api)] == [
        "[2023-11-14 22:13:20 UTC] position without a stop",
        "[2023-11-14 22:13:20 UTC] liquidation near",
    ]
    assert list(tmp_path.iterdir()) == []


def test_critical_ones_survive_kill_9_while_telegram_is_down(tmp_path: Path):
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from engine.notifications.center import NotificationCenter\n"
        "from engine.notifications.keys import TelegramKeys\n"
        "from engine.notifications.model import Notification\n"
        "from engine.notifications.telegram import TelegramSink\n"
        f"sink = TelegramSink(TelegramKeys('{TOKEN}', {CHAT}), api_url=sys.argv[1])\n"
        "center = NotificationCenter([(sink, 'info')], keep_in=Path(sys.argv[2]))\n"
        "center.start()\n"
        "center.publish(Notification('info', 'hold the line'))\n"
        "sys.stdin.readline()\n"
        "for number in range(3):\n"
        "    center.publish(Notification('critical', f'number {number}'))\n"
        "center.start()\n"
        "print('published', flush=True)\n"
        "sys.stdin.readline()\n"
    )
    with BotApi() as api:
        api.hang = True
        child = subprocess.Popen(
            [sys.executable, "-c", code, api.url, str(tmp_path)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        api.wait(lambda: api.attempts == 1)
        child.stdin.write("\n")
        child.stdin.flush()
        assert child.stdout.readline() == "published\n"
        kept = tmp_path / "undelivered-TelegramSink.json"
        while not kept.exists() or b"number 2" not in kept.read_bytes():
            assert child.poll() is None
        child.kill()
        child.communicate()
        api.hang = False
        center = telegram(api, Sleeper(), keep_in=tmp_path)
        center.start()
        assert center.stop(10)
    assert [text[-8:] for text in lines(api)] == ["number 0", "number 1", "number 2"]


def test_a_kept_file_that_is_damaged_or_cannot_be_written_costs_a_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "undelivered-TelegramSink.json").write_text("half a [", "utf-8")
    with BotApi() as api:
        for folder in (tmp_path, tmp_path / "absent"):
            center = telegram(api, Sleeper(), keep_in=folder)
            center.start()
            center.publish(Notification("critical", "still told"))
            assert center.stop(10)
    assert len(api.received) == 2
    assert "undelivered-TelegramSink.json is damaged" in caplog.messages[0]
    assert "cannot be written: No such file or directory" in caplog.messages[1]


@pytest.mark.parametrize(("text", "kept"), [("x" * 10_000, 4095), ("\U0001f6a8" * 3_000, 2047)])
def test_long_texts_are_cut_to_what_telegram_takes_and_show_it(text: str, kept: int):
    with BotApi() as api:
        center = telegram(api, Sleeper())
        center.start()
        center.publish(Notification("info", text))
        assert center.stop(10)
    assert api.received[0] == text[:kept] + "\u2026"
    assert len(api.received[0].encode("utf-16-le")) // 2 <= 4096


def test_the_engine_never_waits_and_critical_ones_survive_an_overflow():
    sleep = Sleeper()
    sleep.held = threading.Event()
    with BotApi() as api:
        center = telegram(api, sleep, capacity=100)
        center.start()
        center.publish(Notification("info", "first"))
        assert sleep.called.wait(20)  # the sink now stands still
        longest = 0
        for number in range(20_000):
            began = time.perf_counter_ns()
            center.publish(Notification("critical" if number % 500 == 0 else "info", str(number)))
            longest = max(longest, time.perf_counter_ns() - began)
        assert longest < 2_000_000_000  # nothing near the hour the sink would have needed
        assert center.dropped() == {"info": 20_000 - 100, "warning": 0, "critical": 0}
        sleep.held.set()
        assert center.stop(20)
    told = [text for text in lines(api) if "were dropped" in text]
    critical = [
        text.split()[-1]
        for text in lines(api)
        if text.split()[-1].isdigit() and int(text.split()[-1]) % 500 == 0
    ]
    assert len(told) == 1
    assert critical == [str(number) for number in range(0, 20_000, 500)]
    kept = [int(text) for text in lines(api) if text.isdigit()]
    assert kept == sorted(kept)
    assert kept[-1] == 19_999


def test_a_sink_that_breaks_stops_alone(caplog: pytest.LogCaptureFixture):
    class Broken:
        async def start(self) -> None:
            pass

        async def send(self, notifications: Sequence[Notification]) -> None:
            raise ZeroDivisionError(len(notifications))

        async def stop(self) -> None:
            pass

    class Written:
        """Keeps what it is given."""

        def __init__(self) -> None:
            self.texts: list[str] = []

        async def start(self) -> None:
            pass

        async def send(self, notifications: Sequence[Notification]) -> None:
            self.texts += [one.text for one in notifications]

        async def stop(self) -> None:
            pass

    caplog.set_level(logging.INFO)
    written = Written()
    center = NotificationCenter([(Broken(), "info"), (written, "warning")])
    center.start()
    center.publish(Notification("warning", "still here"))
    center.publish(Notification("info", "too quiet for the log"))
    center.stop(2)
    assert written.texts == ["still here"]
    assert "Broken stopped: ZeroDivisionError; trading continues without it" in caplog.text


def test_stopping_with_a_dead_server_ends_in_time_and_says_what_is_left():
    with BotApi(listen=False) as api:
        center = NotificationCenter([(TelegramSink(KEYS, api_url=api.url), "info")])
        center.start()
        for number in range(5):
            center.publish(Notification("info", str(number)))
        assert not center.stop(0.05)


def environment(home: Path, url: str) -> Settings:
    demo = parse_settings(ROOT / "configs" / "demo.toml", "demo")
    told = demo.telegram.model_copy(update={"enabled": True, "api_url": url})
    return demo.model_copy(update={"home": home, "telegram": told})


@pytest.mark.parametrize("place", ["vault", "engine/vault"])
def test_the_engines_observers_tell_telegram_of_fills_and_warnings(tmp_path: Path, place: str):
    keys = tmp_path / place / "telegram_keys"
    keys.parent.mkdir(parents=True)
    keys.write_text(f"bot_token={TOKEN}\nchat_id={CHAT}\n")
    keys.chmod(0o600)
    with BotApi() as api:
        observers = Observers(environment(tmp_path, api.url))
        observers.start()
        observers.tell([fill()])
        api.wait(lambda: len(api.received) == 1)
        observers.say("info", "engine", "nothing to worry about")
        observers.say("critical", "journal", "the disk is full")
        api.wait(lambda: len(api.received) == 2)
        observers.stop()
    assert api.received[0].startswith("fill: BUY 1 BTCUSDT")
    assert api.received[1].endswith("journal: the disk is full")


def test_a_missing_key_file_is_one_line_and_trading_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    observers = Observers(environment(tmp_path, ""))
    observers.start()
    observers.say("critical", "test", "still here")
    observers.stop()
    first, second = capsys.readouterr().out.splitlines()
    assert f"there is no {tmp_path / 'vault' / 'telegram_keys'}, nothing goes to Telegram" in first
    assert "still here" in second
