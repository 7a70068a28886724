"""Telegram's commands as a client of the control socket, in a thread and an event loop of its own."""

import asyncio
import threading
import time
from typing import get_args

from engine.control.client import connect
from engine.control.protocol import Request
from engine.core.events import CommandName
from engine.notifications.keys import TelegramKeysError, load_telegram_keys
from engine.notifications.setup import telegram_key_paths
from settings import Settings

COMMANDS = frozenset(get_args(CommandName)) - {"cancel"}
ANSWER_SECONDS = 10.0


class ChatThread:
    """Listens to the chat until stopped. Nothing here is in the path of an order."""

    def __init__(self, settings: Settings, control_port: int, token: bytes) -> None:
        self._settings = settings
        self._port = control_port
        self._token = token
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._main, name="telegram commands", daemon=True)

    def start(self) -> None:
        """Begin to listen, where Telegram is enabled and has keys."""
        if self._settings.telegram.enabled:
            self._thread.start()

    def stop(self) -> None:
        """Cancel the listening; does not wait for it."""
        loop, task = self._loop, self._task
        if loop is not None and task is not None and not loop.is_closed():
            loop.call_soon_threadsafe(task.cancel)

    def _main(self) -> None:
        asyncio.run(self._listen())

    async def _listen(self) -> None:
        from engine.notifications.telegram_commands import (  # noqa: PLC0415  # slow to import, seldom wanted
            ChatCommand,
            TelegramCommands,
        )

        async def on_command(command: ChatCommand) -> str:
            return await self.carry_out(command.command_id, command.name, command.arguments)

        try:
            keys = load_telegram_keys(telegram_key_paths(self._settings))
        except TelegramKeysError:
            return  # the notification center has said so
        chat = TelegramCommands(keys, on_command, now_s=time.time, api_url=self._settings.telegram.api_url)
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(chat.run())
        await asyncio.gather(self._task, return_exceptions=True)

    async def carry_out(self, command_id: str, name: str, arguments: tuple[str, ...]) -> str:
        """One command by way of the control socket; the answer for the chat."""
        if name not in COMMANDS:
            return f"commands: {', '.join('/' + one for one in sorted(COMMANDS))} [STRATEGY] [SYMBOL]"
        symbols = set(self._settings.symbols)
        symbol = next((one for one in arguments if one in symbols), "")
        strategy = next((one for one in arguments if one not in symbols), "")
        request = Request(name, command_id, strategy, symbol)  # type: ignore[arg-type]  # checked above
        try:
            async with asyncio.timeout(ANSWER_SECONDS), connect(self._port, self._token) as client:
                return (await client.ask(request)).text
        except (OSError, EOFError, TimeoutError) as error:
            return f"the engine did not answer: {error}"
