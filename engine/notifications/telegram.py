"""Sends notifications to one Telegram chat by python-telegram-bot.

Waiting notifications are sent together, so a burst becomes few messages. If the server is down, slow or
limits the rate, they wait in a bounded queue. The token is part of every URL, so the HTTP client's own
logging is off and the token is removed from errors before they are logged.
"""

import asyncio
import logging
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, Forbidden, InvalidToken, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from engine.notifications.keys import TelegramKeys
from engine.notifications.model import Notification
from runtime.settings.models import TELEGRAM_API_URL

MAX_TEXT = 4096
"""In UTF-16 code units, as Telegram counts."""
FIRST_WAIT_S = 1.0
LONGEST_WAIT_S = 60.0
UNKNOWN_TOKEN_WAIT_S = 600.0
_LATE_NS = 30_000_000_000
_MAX_ERROR_TEXT = 200
_SIGN = {"info": "", "warning": "\u26a0\ufe0f ", "critical": "\U0001f6a8 "}
_log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]


def make_bot(keys: TelegramKeys, api_url: str, read_timeout_s: float = 10.0) -> tuple[Bot, HTTPXRequest]:
    """A bot and its HTTP client, which the caller initialises and shuts down; sends nothing."""
    for name in ("httpx", "httpcore", "telegram"):  # they would log the URL, which contains the token
        logging.getLogger(name).setLevel(logging.CRITICAL)
    os.environ.setdefault("PTB_TIMEDELTA", "true")  # the library warns about each RetryAfter without it
    request = HTTPXRequest(
        connection_pool_size=2, connect_timeout=5.0, read_timeout=read_timeout_s, pool_timeout=5.0
    )
    return Bot(keys.token, base_url=api_url, request=request, get_updates_request=request), request


def seconds_of(wait: float | timedelta) -> float:
    """Seconds of `RetryAfter.retry_after`, in either form that the library uses."""
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def error_text(error: TelegramError, keys: TelegramKeys) -> str:
    """The message of an error on one line, without the token."""
    secret = re.escape(keys.token.partition(":")[2])
    # The library changes the case of letters in messages.
    text = re.sub(rf"(\d+:)?{secret}", "***", " ".join(str(error).split()), flags=re.IGNORECASE)
    return text[:_MAX_ERROR_TEXT] or type(error).__name__


def cut(text: str) -> str:
    """The text, cut to what one message takes."""
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * MAX_TEXT:
        return text
    return units[: 2 * MAX_TEXT - 2].decode("utf-16-le", "ignore") + "\u2026"


def packed(lines: Sequence[str]) -> Iterator[str]:
    """The lines packed into as few messages as possible, in order."""
    message = ""
    for line in lines:
        longer = f"{message}\n{line}" if message else line
        if message and cut(longer) != longer:
            yield message
            longer = line
        message = cut(longer)
    if message:
        yield message


class TelegramSink:
    """Sends messages one after the other, `pause_s` apart: by default Telegram's limit for one chat, or for a
    group, whose `chat_id` is negative.

    A message that Telegram refuses is dropped with a line in the log. An error is logged once, until it is
    over.
    """

    def __init__(
        self,
        keys: TelegramKeys,
        *,
        api_url: str = TELEGRAM_API_URL,
        pause_s: float = 0.0,
        sleep: Sleep = asyncio.sleep,
        now_ns: Callable[[], int] = time.time_ns,
        read_timeout_s: float = 10.0,
    ) -> None:
        self._keys = keys
        self._api_url = api_url or TELEGRAM_API_URL
        self._pause_s = pause_s or (1.0 if keys.chat_id > 0 else 3.0)
        self._sleep = sleep
        self._now_ns = now_ns
        self._read_timeout_s = read_timeout_s
        self._trouble = ""
        self._bot: Bot | None = None
        self._request: HTTPXRequest | None = None

    async def start(self) -> None:
        """Make the HTTP client."""
        self._bot, self._request = make_bot(self._keys, self._api_url, self._read_timeout_s)
        await self._request.initialize()

    async def send(self, notifications: Sequence[Notification]) -> None:
        """Try until they are delivered or refused."""
        for text in packed([self._line(one) for one in notifications]):
            await self._deliver(text)

    def _line(self, notification: Notification) -> str:
        """Its text, with the time if it is sent late."""
        happened = ""
        if notification.time_ns and self._now_ns() - notification.time_ns > _LATE_NS:
            at = datetime.fromtimestamp(notification.time_ns // 1_000_000_000, UTC)
            happened = f"[{at:%Y-%m-%d %H:%M:%S} UTC] "
        return f"{_SIGN[notification.level]}{happened}{notification.text}"

    async def _deliver(self, text: str) -> None:
        wait_s = FIRST_WAIT_S
        while self._bot is not None:
            try:
                await self._bot.send_message(self._keys.chat_id, text)
            except RetryAfter as error:
                await self._sleep(seconds_of(error.retry_after))
            except InvalidToken:
                self._say("Telegram does not know the bot token of vault/telegram_keys; trying again later")
                await self._sleep(UNKNOWN_TOKEN_WAIT_S)
            except (BadRequest, Forbidden, ChatMigrated) as error:
                self._say(f"Telegram refuses messages to chat {self._keys.chat_id}: {self._refusal(error)}")
                return
            except TelegramError as error:
                self._say(f"Telegram cannot be reached, messages wait: {error_text(error, self._keys)}")
                await self._sleep(wait_s)
                wait_s = min(wait_s * 2, LONGEST_WAIT_S)
            else:
                if self._trouble:
                    _log.warning("Telegram accepts messages again")
                self._trouble = ""
                await self._sleep(self._pause_s)
                return

    def _refusal(self, error: TelegramError) -> str:
        text = error_text(error, self._keys)
        if isinstance(error, ChatMigrated):
            return f"the group has become a supergroup, its chat_id is now {error.new_chat_id}"
        if isinstance(error, Forbidden) or "chat not found" in text.lower():
            return f"{text}; open the chat with the bot, press Start, and compare chat_id"
        return text

    def _say(self, trouble: str) -> None:
        """Log an error once, as long as it is the same."""
        if trouble != self._trouble:
            self._trouble = trouble
            _log.warning(trouble)

    async def stop(self) -> None:
        """Close the HTTP client."""
        if self._request is not None:
            await self._request.shutdown()
