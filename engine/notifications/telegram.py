"""Sends notifications to one Telegram chat by python-telegram-bot.

A server that is down, slow or counting is waited for; the queue in front is bounded. The token is part of
every URL, so the HTTP client's own logging is kept quiet and errors are told by their kind only.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from datetime import timedelta

from telegram import Bot
from telegram.error import BadRequest, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.request import HTTPXRequest

from engine.notifications.keys import TelegramKeys
from engine.notifications.model import Notification

DEFAULT_API_URL = "https://api.telegram.org/bot"
MAX_TEXT = 4096
_FIRST_WAIT_S = 1.0
_LONGEST_WAIT_S = 60.0
_SIGN = {"info": "", "warning": "\u26a0\ufe0f ", "critical": "\U0001f6a8 "}
_log = logging.getLogger(__name__)

Sleep = Callable[[float], Awaitable[None]]


def make_bot(keys: TelegramKeys, api_url: str, read_timeout_s: float = 10.0) -> tuple[Bot, HTTPXRequest]:
    """A bot and its HTTP client, which the caller initialises and shuts down. Nothing is sent yet."""
    for name in ("httpx", "httpcore", "telegram"):  # they would write the URL, and the token with it
        logging.getLogger(name).setLevel(logging.CRITICAL)
    os.environ.setdefault("PTB_TIMEDELTA", "true")  # the library warns about each RetryAfter without it
    request = HTTPXRequest(
        connection_pool_size=2, connect_timeout=5.0, read_timeout=read_timeout_s, pool_timeout=5.0
    )
    return Bot(keys.token, base_url=api_url, request=request, get_updates_request=request), request


def seconds_of(wait: float | timedelta) -> float:
    """`RetryAfter.retry_after` in either of the library's forms."""
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


class TelegramSink:
    """Messages go out one after the other, with `pause_s` between them (Telegram's limit for one chat).

    A message that Telegram refuses is dropped with a line in the log. A token it does not know ends
    sending for good, with one line.
    """

    def __init__(
        self,
        keys: TelegramKeys,
        *,
        api_url: str = DEFAULT_API_URL,
        pause_s: float = 1.0,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._keys = keys
        self._api_url = api_url or DEFAULT_API_URL
        self._pause_s = pause_s
        self._sleep = sleep
        self._disabled = False
        self._bot: Bot | None = None
        self._request: HTTPXRequest | None = None

    async def start(self) -> None:
        """Make the HTTP client."""
        self._bot, self._request = make_bot(self._keys, self._api_url)
        await self._request.initialize()

    async def send(self, notification: Notification) -> None:
        """Try until it is delivered or refused."""
        text = (_SIGN[notification.level] + notification.text)[:MAX_TEXT]
        wait_s = _FIRST_WAIT_S
        while not self._disabled and self._bot is not None:
            try:
                await self._bot.send_message(self._keys.chat_id, text)
            except RetryAfter as error:
                await self._sleep(seconds_of(error.retry_after))
            except InvalidToken:
                self._disabled = True
                _log.error("Telegram does not know the bot token; nothing more is sent there")
            except (BadRequest, Forbidden) as error:
                _log.warning("Telegram refused a message: %s", type(error).__name__)
                return
            except NetworkError as error:
                _log.warning(
                    "Telegram cannot be reached (%s), next try in %g s", type(error).__name__, wait_s
                )
                await self._sleep(wait_s)
                wait_s = min(wait_s * 2, _LONGEST_WAIT_S)
            except TelegramError as error:
                _log.warning("Telegram refused a message: %s", type(error).__name__)
                return
            else:
                await self._sleep(self._pause_s)
                return

    async def stop(self) -> None:
        """Close the HTTP client."""
        if self._request is not None:
            await self._request.shutdown()
