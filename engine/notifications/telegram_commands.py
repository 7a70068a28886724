"""Receives commands from one Telegram chat: "/pause", "/status", "/why".

Other chats are ignored, and logged once. Only users named in the keys file may send commands, or the one
other person of a private chat. A command that is older than `max_age_s` when it is seen (the engine was down)
is answered and not carried out; each update is handled once. The caller carries commands out and must return
quickly.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

import msgspec
from telegram import Bot, Update
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from engine.notifications.keys import TelegramKeys
from engine.notifications.telegram import (
    FIRST_WAIT_S,
    LONGEST_WAIT_S,
    UNKNOWN_TOKEN_WAIT_S,
    Sleep,
    error_text,
    make_bot,
    packed,
    seconds_of,
)
from runtime.settings.models import TELEGRAM_API_URL

ANSWER_TRIES = 4
MAX_HANDLED = 1_000
MAX_FOREIGN = 20
_log = logging.getLogger(__name__)


class ChatCommand(msgspec.Struct, frozen=True):
    """`command_id` is the same each time Telegram delivers the same update."""

    command_id: str
    name: str
    arguments: tuple[str, ...]


OnCommand = Callable[[ChatCommand], Awaitable[str]]
"""Returns the answer for the chat; "" is none."""


def command_of(update: Update, chat_id: int) -> ChatCommand | None:
    """The command in an update, or None if there is none or it is of another chat."""
    message = update.message
    if message is None or message.chat.id != chat_id or not message.text:
        return None
    words = message.text.split()
    if not words or not words[0].startswith("/"):
        return None
    name = words[0][1:].partition("@")[0].lower()
    return ChatCommand(f"telegram-{update.update_id}", name, tuple(words[1:]))


class TelegramCommands:
    """Polls with `run` until cancelled. `now_s` is the wall clock, for the age of messages.

    An error is logged once, until it is over.
    """

    def __init__(
        self,
        keys: TelegramKeys,
        on_command: OnCommand,
        *,
        now_s: Callable[[], float],
        api_url: str = TELEGRAM_API_URL,
        poll_s: int = 25,
        max_age_s: float = 60.0,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._keys = keys
        self._on_command = on_command
        self._now_s = now_s
        self._api_url = api_url or TELEGRAM_API_URL
        self._poll_s = poll_s
        self._max_age_s = max_age_s
        self._sleep = sleep
        self._offset = 0
        self._handled: deque[int] = deque(maxlen=MAX_HANDLED)
        self._foreign: set[int] = set()
        self._trouble = ""

    async def run(self) -> None:
        """Poll until cancelled."""
        bot, request = make_bot(self._keys, self._api_url, read_timeout_s=self._poll_s + 10.0)
        await request.initialize()
        wait_s = FIRST_WAIT_S
        try:
            while True:
                try:
                    await self._poll(bot)
                    wait_s, self._trouble = FIRST_WAIT_S, ""
                except RetryAfter as error:
                    await self._sleep(seconds_of(error.retry_after))
                except InvalidToken:
                    self._say("Telegram does not know the bot token; commands are off until it does")
                    await self._sleep(UNKNOWN_TOKEN_WAIT_S)
                except TelegramError as error:
                    if isinstance(error, Conflict):
                        self._say(
                            "another program polls this Telegram bot, or it has a webhook; each engine "
                            "needs its own bot"
                        )
                    else:
                        self._say(f"Telegram commands cannot be fetched: {error_text(error, self._keys)}")
                    await self._sleep(wait_s)
                    wait_s = min(wait_s * 2, LONGEST_WAIT_S)
        finally:
            await request.shutdown()

    async def _poll(self, bot: Bot) -> None:
        """One long poll: carry out the received commands, then answer.

        A request from `offset` on confirms the updates before it. After that no offset is sent: when a bot
        was not used for a week, Telegram restarts its numbering, perhaps lower.
        """
        updates = await bot.get_updates(
            self._offset or None, timeout=self._poll_s, allowed_updates=["message"]
        )
        self._offset = max((update.update_id + 1 for update in updates), default=0)
        answers = [await self._handle(update) for update in updates]
        for text in packed([line for answer in answers for line in answer.splitlines()]):
            await self._answer(bot, text)

    async def _answer(self, bot: Bot, text: str) -> None:
        """Try a few times only: the next command must not wait for long."""
        wait_s = FIRST_WAIT_S
        for _ in range(ANSWER_TRIES):
            try:
                await bot.send_message(self._keys.chat_id, text)
            except TelegramError as error:
                reason = error_text(error, self._keys)
                given_s = seconds_of(error.retry_after) if isinstance(error, RetryAfter) else wait_s
                await self._sleep(min(given_s, LONGEST_WAIT_S))
                wait_s *= 2
            else:
                return
        self._say(f"an answer could not be sent to Telegram: {reason}")

    async def _handle(self, update: Update) -> str:
        message = update.message
        if message is None or update.update_id in self._handled:
            return ""
        self._handled.append(update.update_id)
        if message.chat.id != self._keys.chat_id:
            self._ignore(message.chat.id)
            return ""
        command = command_of(update, self._keys.chat_id)
        if command is None:
            return ""
        sender = 0 if message.from_user is None else message.from_user.id
        if not self._keys.may_command(sender):
            return self._refuse(command.name, sender)
        if self._now_s() - message.date.timestamp() > self._max_age_s:
            return f"/{command.name} arrived too late and was not carried out"
        return await self._on_command(command)

    def _ignore(self, chat_id: int) -> None:
        if chat_id not in self._foreign and len(self._foreign) < MAX_FOREIGN:
            self._foreign.add(chat_id)
            _log.warning("Telegram chat %d is not the one in telegram_keys and is ignored", chat_id)

    def _refuse(self, name: str, sender: int) -> str:
        """Refuse a command of a user in the right chat who may not send commands."""
        if sender not in self._foreign and len(self._foreign) < MAX_FOREIGN:
            self._foreign.add(sender)
            _log.warning("Telegram user %d may not send commands: not in user_ids of telegram_keys", sender)
        who = f"user {sender}" if sender else "an anonymous sender"
        return f"/{name} was not carried out: {who} is not in user_ids of vault/telegram_keys"

    def _say(self, trouble: str) -> None:
        """Log an error once, as long as it is the same."""
        if trouble != self._trouble:
            self._trouble = trouble
            _log.warning(trouble)
