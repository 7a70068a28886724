"""Telegram's commands as a client of the control socket, in its own thread and event loop."""

import asyncio
import logging
import secrets
import threading
import time

import msgspec

from engine.notifications.keys import TelegramKeysError, load_telegram_keys
from engine.notifications.setup import telegram_key_paths
from runtime.control.client import connect
from runtime.control.commands import COMMANDS, command_named
from runtime.control.protocol import Request, Response
from runtime.control.shown import counted, readable
from runtime.control.status import EngineStatus, StrategyStatus
from runtime.settings import Settings

IN_CHAT = {name: about for name, about in COMMANDS.items() if not about.order}
ANSWER_SECONDS = 10.0
ORDERS_SHOWN = 10
_HELP = "\n".join(
    [
        f"commands: /status, {', '.join('/' + one for one in sorted(IN_CHAT))} [STRATEGY] [SYMBOL]",
        *(f"/{name}: {IN_CHAT[name].touches}" for name in sorted(IN_CHAT)),
    ]
)
_log = logging.getLogger(__name__)


class ChatThread:
    """Listens to the chat until stopped. Nothing here is in an order's path."""

    def __init__(self, settings: Settings, control_port: int, token: bytes) -> None:
        self._settings = settings
        self._port = control_port
        self._token = token
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._main, name="telegram commands", daemon=True)

    def start(self) -> None:
        """Begin to listen if Telegram is enabled and has keys."""
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
        from engine.notifications.telegram_commands import (  # noqa: PLC0415  # slow to import, rarely needed
            ChatCommand,
            TelegramCommands,
        )

        async def on_command(command: ChatCommand) -> str:
            return await self.carry_out(command.command_id, command.name, command.arguments)

        try:
            keys = load_telegram_keys(telegram_key_paths(self._settings))
        except TelegramKeysError:
            return  # the notification center has reported it
        chat = TelegramCommands(keys, on_command, now_s=time.time, api_url=self._settings.telegram.api_url)
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(chat.run())
        (outcome,) = await asyncio.gather(self._task, return_exceptions=True)
        if isinstance(outcome, Exception):
            _log.error("commands by Telegram have ended: %s; trading goes on", type(outcome).__name__)

    async def carry_out(self, command_id: str, name: str, arguments: tuple[str, ...]) -> str:
        """Send one command to the control socket; returns the answer for the chat."""
        if name == "status":
            return await self._ask(Request("status", f"chat-{secrets.token_hex(8)}"))
        command = command_named(name)
        if command is None or command not in IN_CHAT:
            return _HELP
        symbols = set(self._settings.symbols)
        named = [word.upper() for word in arguments if word.upper() in symbols]
        others = [word for word in arguments if word.upper() not in symbols]
        about = IN_CHAT[command]
        if len(named) > bool(about.symbol) or len(others) > bool(about.strategy):
            both = (("one strategy", about.strategy), ("one symbol", about.symbol))
            taken = " and ".join(one for one, is_taken in both if is_taken)
            allowed = f"{taken} at most, or none for all" if taken else "it takes no strategy and no symbol"
            known = ", ".join(self._settings.symbols)
            return f"/{command} {' '.join(arguments)} was not carried out: {allowed}; symbols are {known}"
        strategy, symbol = "".join(others), "".join(named)
        return await self._ask(Request(command, command_id, strategy, symbol, source="telegram"))

    async def _ask(self, request: Request) -> str:
        try:
            async with asyncio.timeout(ANSWER_SECONDS), connect(self._port, self._token) as client:
                return _text_of(await client.ask(request))
        except (OSError, EOFError, ValueError, msgspec.DecodeError) as error:
            return f"the engine did not answer: {error or type(error).__name__}"


def _text_of(answer: Response) -> str:
    data = bytes(answer.data)
    return answer.text if data == b"null" else status_text(msgspec.json.decode(data, type=EngineStatus))


def status_text(status: EngineStatus) -> str:
    """The status as text for a small screen."""
    shown = readable(status)
    state = "killed" if shown.killed else "paused" if shown.paused else "running"
    down = [f"{name} {state}" for name, state in shown.links.items() if state != "up"]
    lines = [", ".join([state if shown.ready else "not ready", *down])]
    if shown.paused_strategies:
        lines.append(f"paused: {', '.join(shown.paused_strategies)}")
    lines += [f"entries wait: {one}" for one in shown.blockers]
    lines += shown.left_behind
    lines += [
        f"{one.symbol} {one.qty_base} at {one.entry_price}, unrealised {one.unrealised_pnl or 'not known'}"
        for one in shown.positions
    ] or ["flat"]
    lines += [f"{one.strategy} on {one.symbol}: {_strategy(one)}" for one in shown.strategies]
    lines.append(
        f"{counted(len(shown.open_orders), 'open order')}, {counted(shown.fills, 'fill')} since the start"
    )
    lines += [
        f"{one.symbol} {one.side} {one.qty_base} {one.at if one.trigger_price else f'at {one.at}'}"
        for one in shown.open_orders[:ORDERS_SHOWN]
    ]
    money = (("wallet", shown.wallet_balance), ("realised", shown.realised_pnl), ("fees", shown.fees))
    lines.append(", ".join(f"{name} {amount or 'not known'}" for name, amount in money))
    return "\n".join(lines)


def _strategy(one: StrategyStatus) -> str:
    """What it does, and where its stop is."""
    if one.qty_base == "0":
        return one.state
    watched = " at the close of a bar" if one.stop_is_watched else ""
    stop = f"stop {one.stop_price}{watched}" if one.stop_price else "no stop"
    return f"{one.state}, holds {one.qty_base}, {stop}"
