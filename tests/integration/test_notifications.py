"""Delivery over real HTTP against a stand-in of Telegram's Bot API."""

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import pytest
from aiohttp import web

from engine.notifications.center import NotificationCenter
from engine.notifications.keys import TelegramKeys
from engine.notifications.model import Level, Notification
from engine.notifications.telegram import TelegramSink
from engine.notifications.telegram_commands import ChatCommand, TelegramCommands
from engine.shell.observers import Observers
from settings import Settings
from settings.load import parse_settings
from tests.record_samples import fill

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "123456:AbCdEfGhIjKlMnOpQrStUvWxYz012345678"
CHAT = 4242
KEYS = TelegramKeys(TOKEN, CHAT)
Answer = Callable[[], Awaitable[web.Response]]


def ok(result: object) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def refused(code: int, text: str, **parameters: int) -> web.Response:
    body = {"ok": False, "error_code": code, "description": text}
    return web.json_response(body | ({"parameters": parameters} if parameters else {}), status=code)


class BotApi:
    """Bot API in a thread of its own. `script` holds answers to give before the ordinary ones."""

    def __init__(self, *, listen: bool = True) -> None:
        self.received: list[str] = []
        self.attempts = 0
        self.script: list[web.Response] = []
        self.updates: list[list[dict[str, object]]] = []
        self.changed = threading.Condition()
        self._listen = listen
        self.port = 0

    def __enter__(self) -> Self:
        self._ready, self._loop = threading.Event(), asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/bot"

    def wait(self, condition: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(condition, timeout=20), (self.received, self.attempts)

    def listen(self) -> None:
        """Come up, on the port that was promised."""
        asyncio.run_coroutine_threadsafe(self._site(), self._loop).result()

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._main())
        self._loop.close()

    async def _main(self) -> None:
        self._ended = asyncio.Event()
        app = web.Application()
        app.router.add_route("*", "/bot{token}/{method}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        await self._site()
        if not self._listen:
            for site in list(self._runner.sites):
                await site.stop()
        self._ready.set()
        await self._ended.wait()
        await self._runner.cleanup()

    async def _site(self) -> None:
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, reuse_address=True)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _handle(self, request: web.Request) -> web.Response:
        assert request.match_info["token"] == TOKEN
        form = await request.post()
        with self.changed:
            self.attempts += 1
            try:
                if self.script:
                    return self.script.pop(0)
                return self._answer(request.match_info["method"], dict(form))
            finally:
                self.changed.notify_all()

    def _answer(self, method: str, form: dict[str, object]) -> web.Response:
        if method == "getUpdates":
            return ok(self.updates.pop(0) if self.updates else [])
        assert method == "sendMessage"
        assert form["chat_id"] == str(CHAT)
        self.received.append(str(form["text"]))
        message = {"message_id": 1, "date": 0, "chat": {"id": CHAT, "type": "private"}, "text": "x"}
        return ok(message)


class Sleeper:
    """Sleeps no time, and remembers how long it should have been."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.called = threading.Event()
        self.held: threading.Event | None = None

    async def __call__(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.called.set()
        if self.held is not None:
            await asyncio.to_thread(self.held.wait)


def telegram(api: BotApi, sleep: Sleeper, level: Level = "info", capacity: int = 500) -> NotificationCenter:
    sink = TelegramSink(KEYS, api_url=api.url, sleep=sleep)
    return NotificationCenter([(sink, level)], capacity=capacity)


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
    assert api.received[:6] == ["before the start", *(f"number {number}" for number in range(5))]
    assert api.received[6].endswith("position without a stop")
    assert sleep.slept == [1.0] * 7


def test_flood_control_is_waited_for_and_nothing_is_lost():
    sleep = Sleeper()
    with BotApi() as api:
        api.script = [refused(429, "Too Many Requests: retry after 17", retry_after=17)]
        center = telegram(api, sleep)
        center.start()
        center.publish(Notification("warning", "one"))
        center.publish(Notification("warning", "two"))
        assert center.stop(10)
    assert [text[-3:] for text in api.received] == ["one", "two"]
    assert sleep.slept == [17.0, 1.0, 1.0]


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


def test_a_refused_message_is_dropped_and_the_next_one_goes_out():
    with BotApi() as api:
        api.script = [refused(400, "Bad Request: message is too strange")]
        center = telegram(api, Sleeper())
        center.start()
        center.publish(Notification("info", "strange"))
        center.publish(Notification("info", "plain"))
        assert center.stop(10)
    assert api.received == ["plain"]


def test_an_unknown_token_ends_sending_in_one_sentence(caplog: pytest.LogCaptureFixture):
    with BotApi() as api:
        api.script = [refused(401, "Unauthorized")]
        center = telegram(api, Sleeper())
        center.start()
        for number in range(3):
            center.publish(Notification("info", str(number)))
        assert center.stop(10)
        assert api.attempts == 1
    assert caplog.text.count("does not know the bot token") == 1
    assert TOKEN not in caplog.text


def test_long_texts_are_cut_to_what_telegram_takes():
    with BotApi() as api:
        center = telegram(api, Sleeper())
        center.start()
        center.publish(Notification("info", "x" * 10_000))
        assert center.stop(10)
    assert len(api.received[0]) == 4096


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
    told = [text for text in api.received if "were dropped" in text]
    critical = [
        text.split()[-1]
        for text in api.received
        if text.split()[-1].isdigit() and int(text.split()[-1]) % 500 == 0
    ]
    assert len(told) == 1
    assert critical == [str(number) for number in range(0, 20_000, 500)]
    kept = [int(text) for text in api.received if text.isdigit()]
    assert kept == sorted(kept)
    assert kept[-1] == 19_999


def test_a_sink_that_breaks_stops_alone(caplog: pytest.LogCaptureFixture):
    class Broken:
        async def start(self) -> None:
            pass

        async def send(self, notification: Notification) -> None:
            raise ZeroDivisionError(notification.text)

        async def stop(self) -> None:
            pass

    class Written:
        """Keeps what it is given."""

        def __init__(self) -> None:
            self.texts: list[str] = []

        async def start(self) -> None:
            pass

        async def send(self, notification: Notification) -> None:
            self.texts.append(notification.text)

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
    assert "Broken stopped: ZeroDivisionError; trading goes on without it" in caplog.text


def test_stopping_with_a_dead_server_ends_in_time_and_says_what_is_left():
    with BotApi(listen=False) as api:
        center = NotificationCenter([(TelegramSink(KEYS, api_url=api.url), "info")])
        center.start()
        for number in range(5):
            center.publish(Notification("info", str(number)))
        assert not center.stop(0.05)


def update(number: int, text: str, *, chat: int = CHAT, date: int = 1_000) -> dict[str, object]:
    message = {"message_id": number, "date": date, "chat": {"id": chat, "type": "private"}, "text": text}
    return {"update_id": number, "message": message}


def test_commands_of_the_own_chat_are_answered_and_all_others_ignored():
    given: list[ChatCommand] = []

    async def on_command(command: ChatCommand) -> str:
        given.append(command)
        return f"done {command.name}"

    async def listen(api: BotApi) -> None:
        commands = TelegramCommands(
            KEYS, on_command, now_s=lambda: 1_030.0, api_url=api.url, poll_s=0, sleep=Sleeper()
        )
        task = asyncio.create_task(commands.run())
        await asyncio.to_thread(api.wait, lambda: len(api.received) == 3)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    with BotApi() as api:
        api.script = [
            refused(409, "Conflict: terminated by other getUpdates request"),
            web.Response(status=502),
        ]
        api.updates = [
            [update(1, "/flatten", chat=666), update(2, "hello"), update(3, "/pause@my_bot BTCUSDT")],
            [update(4, "/kill", date=900), update(5, "/Status")],
        ]
        asyncio.run(listen(api))
    assert given == [
        ChatCommand("telegram-3", "pause", ("BTCUSDT",)),
        ChatCommand("telegram-5", "status", ()),
    ]
    assert api.received == ["done pause", "/kill came too late and was not carried out", "done status"]


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
    assert f"there is no {tmp_path / 'vault' / 'telegram_keys'}, so nothing goes to Telegram" in first
    assert "still here" in second
