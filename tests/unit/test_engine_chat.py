"""The chat is a client of the control socket like any other."""

import asyncio
from pathlib import Path

from engine.control.server import ControlServer
from engine.core.audit import Answer
from engine.core.events import Command, Event
from engine.shell.chat import ChatThread
from settings import Settings
from settings.load import parse_settings
from settings.status import EngineStatus

ROOT = Path(__file__).resolve().parents[2]
TOKEN = b"t" * 32


def demo() -> Settings:
    return parse_settings(ROOT / "configs" / "demo.toml", "demo")


def test_a_command_of_the_chat_reaches_the_core_and_its_answer_the_chat() -> None:
    taken: list[Command] = []

    async def talk() -> tuple[str, str]:
        def take(event: Event) -> None:
            assert isinstance(event, Command)
            taken.append(event)
            server.publish([Answer(1, event.command_id, ok=True, text=f"{event.name} done")])

        server = ControlServer(0, TOKEN, take, lambda: 1, EngineStatus)
        await server.start()
        chat = ChatThread(demo(), server.port, TOKEN)
        answers = (
            await chat.carry_out("telegram-7", "pause", ("sma_crossover_inflection", "BTCUSDT")),
            await chat.carry_out("telegram-8", "shell", ()),
        )
        await server.close()
        return answers

    done, unknown = asyncio.run(asyncio.wait_for(talk(), 20))
    assert done == "pause done"
    assert unknown.startswith("commands: /")
    (command,) = taken
    assert (command.command_id, command.strategy, command.symbol) == (
        "telegram-7",
        "sma_crossover_inflection",
        "BTCUSDT",
    )


def test_a_dead_engine_is_one_sentence_in_the_chat() -> None:
    chat = ChatThread(demo(), 1, TOKEN)
    answer = asyncio.run(chat.carry_out("telegram-1", "flatten", ()))
    assert answer.startswith("the engine did not answer")
