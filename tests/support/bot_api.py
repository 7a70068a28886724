"""A stand-in of Telegram's Bot API over real HTTP, and a clock-free sleep."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Self

from aiohttp import web

from engine.notifications.keys import TelegramKeys

TOKEN = "123456:AbCdEfGhIjKlMnOpQrStUvWxYz012345678"
CHAT, GROUP = 4242, -100
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
        self.refuse_sending: list[web.Response | None] = []
        self.forms: list[dict[str, object]] = []
        self.hang = False
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
        method = request.match_info["method"]
        with self.changed:
            self.attempts += 1
            self.forms.append(dict(form))
            self.changed.notify_all()
            if not self.hang:
                if self.script:
                    return self.script.pop(0)
                if method == "sendMessage" and self.refuse_sending:
                    refusal = self.refuse_sending.pop(0)
                    if refusal is not None:
                        return refusal
                return self._answer(method, dict(form))
        await self._ended.wait()
        return web.Response(status=503)

    def _answer(self, method: str, form: dict[str, object]) -> web.Response:
        if method == "getUpdates":
            return ok(self.updates.pop(0) if self.updates else [])
        assert method == "sendMessage"
        assert form["chat_id"] in {str(CHAT), str(GROUP)}
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


def lines(api: BotApi) -> list[str]:
    """Everything received, message borders apart."""
    return [line for text in api.received for line in text.split("\n")]
