"""The chat is a client of the control socket like any other."""

import asyncio

from engine.model.audit import Answer
from engine.model.events import Command, Event
from engine.shell.chat import ChatThread, status_text
from engine.shell.control_server import ControlServer
from runtime.control.status import EngineStatus, OrderStatus, PositionStatus, StrategyStatus
from runtime.settings import Settings
from runtime.settings.load import parse_settings
from tests.support.places import ROOT

TOKEN = b"t" * 32


def demo() -> Settings:
    return parse_settings(ROOT / "configs" / "demo.toml", "demo")


def talk(
    *said: tuple[str, tuple[str, ...]], status: EngineStatus | None = None
) -> tuple[list[Command], list[str]]:
    """Commands of the chat, one after the other: what reached the core, and the answers."""
    taken: list[Command] = []

    async def speak() -> list[str]:
        def take(event: Event) -> None:
            assert isinstance(event, Command)
            taken.append(event)
            server.publish([Answer(1, event.command_id, ok=True, text=f"{event.name} done")])

        server = ControlServer(TOKEN, take, lambda: 1, lambda: status or EngineStatus())
        await server.start(0)
        chat = ChatThread(demo(), server.port, TOKEN)
        answers = [
            await chat.carry_out(f"telegram-{number}", name, arguments)
            for number, (name, arguments) in enumerate(said)
        ]
        await server.close()
        return answers

    return taken, asyncio.run(asyncio.wait_for(speak(), 20))


def test_a_command_of_the_chat_reaches_the_core_and_its_answer_the_chat() -> None:
    (command,), (done, unknown) = talk(
        ("pause", ("sma_crossover_inflection", "btcusdt")), ("shell", ("rm", "-rf"))
    )
    assert done == "pause done"
    assert unknown.startswith("commands: /status, /")
    assert (command.command_id, command.strategy, command.symbol, command.source) == (
        "telegram-0",
        "sma_crossover_inflection",
        "BTCUSDT",
        "telegram",
    )


def test_a_command_has_one_name_however_it_is_typed() -> None:
    taken, answers = talk(("cancel_all", ("BTCUSDT",)), ("cancel-all", ()), ("close_orders", ()))
    assert [(one.name, one.symbol) for one in taken] == [
        *(("cancel_all", "BTCUSDT"), ("cancel_all", ""), ("cancel_all", "")),
    ]
    assert answers == ["cancel_all done"] * 3


def test_a_command_with_more_words_than_it_takes_is_not_carried_out_in_part() -> None:
    taken, answers = talk(
        ("flatten", ("BTCUSDT", "BTCUSDT")),
        ("pause", ("sma", "rsi")),
        ("kill", ("sma",)),
        ("kill", ("now", "please")),
        ("pause", ("x" * 5_000,)),
        ("rebuild", ("BTCUSDT",)),
    )
    assert taken == []
    both = "one strategy and one symbol at most, or none for all; symbols are BTCUSDT"
    symbol = "one symbol at most, or none for all; symbols are BTCUSDT"
    assert answers[:4] == [
        f"/flatten BTCUSDT BTCUSDT was not carried out: {both}",
        f"/pause sma rsi was not carried out: {both}",
        f"/kill sma was not carried out: {symbol}",
        f"/kill now please was not carried out: {symbol}",
    ]
    assert answers[4].startswith("not a request: strategy: expected text of at most 200 characters, not ")
    nothing = "it takes no strategy and no symbol; symbols are BTCUSDT"
    assert answers[5] == f"/rebuild BTCUSDT was not carried out: {nothing}"


def test_the_status_fits_a_small_screen() -> None:
    status = EngineStatus(
        ready=True,
        paused=True,
        killed=True,
        fills=1,
        positions=(PositionStatus("BTCUSDT", "-0.0040", "50000.123", None, None),),
        links={"gateway": "up", "private": "stale"},
        paused_strategies=("rsi:s1 on BTCUSDT",),
        wallet_balance="9999.123456",
        realised_pnl="-1.5",
        tick_sizes={"BTCUSDT": "0.10"},
        blockers=("trading is paused",),
        strategies=(
            StrategyStatus("rsi:s1", "BTCUSDT", "1h", "warming up 12/392 bars"),
            StrategyStatus("sma:s2", "BTCUSDT", "1h", "running", "-0.0040", "52500.00"),
            StrategyStatus("cci:s3", "BTCUSDT", "1h", "running", "-0.0040", "52500.00", stop_is_watched=True),
        ),
        open_orders=(
            OrderStatus("BTCUSDT", "BUY", "STOP_MARKET", "0.004", "0", None, "ACCEPTED", "x", "52500.00"),
            OrderStatus("BTCUSDT", "BUY", "LIMIT", "0.004", "0", "48000.00", "ACCEPTED", "y"),
        ),
    )
    _, (text, empty) = talk(("status", ()), ("status", ()), status=status)
    assert text == empty
    assert text.splitlines() == [
        "killed, private stale",
        "paused: rsi:s1 on BTCUSDT",
        "entries wait: trading is paused",
        "BTCUSDT -0.004 at 50000.1, unrealised not known",
        "rsi:s1 on BTCUSDT: warming up 12/392 bars",
        "sma:s2 on BTCUSDT: running, holds -0.004, stop 52500.0",
        "cci:s3 on BTCUSDT: running, holds -0.004, stop 52500.0 at the close of a bar",
        "2 open orders, 1 fill since the start",
        "BTCUSDT BUY 0.004 stop 52500.0",
        "BTCUSDT BUY 0.004 at 48000.0",
        "wallet 9999.1235, realised -1.50, fees not known",
    ]
    assert status_text(EngineStatus()).splitlines()[:2] == ["not ready", "flat"]


def test_a_dead_engine_is_one_sentence_in_the_chat() -> None:
    chat = ChatThread(demo(), 1, TOKEN)
    answer = asyncio.run(chat.carry_out("telegram-1", "flatten", ()))
    assert answer.startswith("the engine did not answer")
