"""Listens to one Telegram chat for commands: "/pause", "/status", "/why 1700000000".

Every other chat is ignored. A command older than `max_age_s` when it is seen (the bot was away) is not
carried out, and one update is handled once. What a command does is the caller's business; it must return
quickly.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import msgspec
from telegram import Update
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from engine.notifications.keys import TelegramKeys
from engine.notifications.telegram import DEFAULT_API_URL, MAX_TEXT, Sleep, make_bot, seconds_of

_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_log = logging.getLogger(__name__)


class ChatCommand(msgspec.Struct, frozen=True):
    """`command_id` is the same each time Telegram delivers the same update."""

    command_id: str
    name: str
    arguments: tuple[str, ...]


OnCommand = Callable[[ChatCommand], Awaitable[str]]
"""Returns the answer for the chat ("": none)."""


def command_of(update: Update, chat_id: int) -> ChatCommand | None:
    """The command in an update of that very chat, or None."""
    message = update.message
    if message is None or message.chat.id != chat_id or not message.text:
        return None
    words = message.text.split()
    if not words or not words[0].startswith("/"):
        return None
    name = words[0][1:].partition("@")[0].lower()
    return ChatCommand(f"telegram-{update.update_id}", name, tuple(words[1:]))


class TelegramCommands:
    """Polls with `run` until cancelled. `now_s` is the wall clock, for the age of messages."""

    def __init__(
        self,
        keys: TelegramKeys,
        on_command: OnCommand,
        *,
        now_s: Callable[[], float],
        api_url: str = DEFAULT_API_URL,
        poll_s: int = 25,
        max_age_s: float = 60.0,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._keys = keys
        self._on_command = on_command
        self._now_s = now_s
        self._api_url = api_url or DEFAULT_API_URL
        self._poll_s = poll_s
        self._max_age_s = max_age_s
        self._sleep = sleep
        self._offset = 0

    async def run(self) -> None:
        """Poll until cancelled, or until Telegram says it does not know the token."""
        bot, request = make_bot(self._keys, self._api_url, read_timeout_s=self._poll_s + 10.0)
        await request.initialize()
        wait_s = _FIRST_WAIT_S
        try:
            while True:
                try:
                    updates = await bot.get_updates(
                        self._offset, timeout=self._poll_s, allowed_updates=["message"]
                    )
                    wait_s = _FIRST_WAIT_S
                    for update in updates:
                        self._offset = max(self._offset, update.update_id + 1)
                        answer = await self._handle(update)
                        if answer:
                            await bot.send_message(self._keys.chat_id, answer[:MAX_TEXT])
                except RetryAfter as error:
                    await self._sleep(seconds_of(error.retry_after))
                except InvalidToken:
                    _log.error("Telegram does not know the bot token; its commands are off")
                    return
                except TelegramError as error:
                    if isinstance(error, Conflict):
                        _log.warning("another program polls this Telegram bot; use one bot for each engine")
                    await self._sleep(wait_s)
                    wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
        finally:
            await request.shutdown()

    async def _handle(self, update: Update) -> str:
        command = command_of(update, self._keys.chat_id)
        if command is None or update.message is None:
            return ""
        if self._now_s() - update.message.date.timestamp() > self._max_age_s:
            return f"/{command.name} came too late and was not carried out"
        return await self._on_command(command)
