"""Commands from the chat, polled over real HTTP from a stand-in of Telegram's Bot API."""

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web

from engine.notifications.keys import TelegramKeys
from engine.notifications.telegram_commands import ChatCommand, TelegramCommands
from tests.support.bot_api import CHAT, GROUP, KEYS, TOKEN, BotApi, Sleeper, lines, refused


def update(
    number: int, text: str, *, chat: int = CHAT, date: int = 1_000, sender: int | None = None
) -> dict[str, object]:
    who = {"id": chat if sender is None else sender, "is_bot": False, "first_name": "x"}
    message = {"message_id": number, "date": date, "chat": {"id": chat, "type": "private"}, "text": text}
    message |= {"from": who} if who["id"] else {}
    return {"update_id": number, "message": message}


def commanded(
    api: BotApi,
    done: Callable[[], bool],
    sleep: Sleeper | None = None,
    keys: TelegramKeys = KEYS,
    more: str = "",
) -> list[ChatCommand]:
    """The commands that were carried out until `done`; at 1,030 s of the wall clock."""
    given: list[ChatCommand] = []

    async def on_command(command: ChatCommand) -> str:
        given.append(command)
        return f"done {command.name}{more}"

    async def listen() -> None:
        commands = TelegramCommands(
            keys, on_command, now_s=lambda: 1_030.0, api_url=api.url, poll_s=0, sleep=sleep or Sleeper()
        )
        task = asyncio.create_task(commands.run())
        await asyncio.to_thread(api.wait, done)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(listen())
    return given


def test_commands_of_the_own_chat_are_answered_and_all_others_ignored(caplog: pytest.LogCaptureFixture):
    with BotApi() as api:
        api.script = [
            refused(409, "Conflict: terminated by other getUpdates request"),
            refused(409, "Conflict: can't use getUpdates method while webhook is active"),
            web.Response(status=502),
        ]
        api.updates = [
            [update(1, "/flatten", chat=666), update(2, "hello"), update(3, "/pause@my_bot BTCUSDT")],
            [update(4, "/flatten", chat=666), update(5, "/Status")],
        ]
        given = commanded(api, lambda: len(api.received) == 2)
    assert given == [
        ChatCommand("telegram-3", "pause", ("BTCUSDT",)),
        ChatCommand("telegram-5", "status", ()),
    ]
    assert api.received == ["done pause", "done status"]
    assert caplog.text.count("another program polls this Telegram bot, or it has a webhook") == 1
    assert caplog.text.count("Telegram chat 666 is not the one in telegram_keys and is ignored") == 1
    assert "AbCdEf" not in caplog.text


@pytest.mark.parametrize(
    ("keys", "allowed"),
    [
        (TelegramKeys(TOKEN, CHAT), CHAT),
        (TelegramKeys(TOKEN, CHAT, frozenset({7, 8})), 8),
        (TelegramKeys(TOKEN, GROUP, frozenset({7})), 7),
    ],
    ids=["private chat", "named in the keys", "group"],
)
def test_only_those_who_may_command_are_obeyed(
    keys: TelegramKeys, allowed: int, caplog: pytest.LogCaptureFixture
):
    chat = keys.chat_id
    with BotApi() as api:
        api.updates = [
            [update(1, "/kill", chat=chat, sender=99), update(2, "/kill", chat=chat, sender=0)],
            [update(3, "/kill", chat=chat, sender=99), update(4, "/pause", chat=chat, sender=allowed)],
        ]
        given = commanded(api, lambda: len(lines(api)) == 4, keys=keys)
    assert given == [ChatCommand("telegram-4", "pause", ())]
    refused_99 = "/kill was not carried out: user 99 is not in user_ids of vault/telegram_keys"
    anonymous = "/kill was not carried out: an anonymous sender is not in user_ids of vault/telegram_keys"
    assert lines(api) == [refused_99, anonymous, refused_99, "done pause"]
    assert caplog.text.count("Telegram user 99 may not send commands") == 1


def test_a_long_answer_is_several_messages_broken_between_its_lines():
    more = "".join(f"\n{k} {'x' * 90}" for k in range(80))
    with BotApi() as api:
        api.updates = [[update(1, "/why")]]
        commanded(api, lambda: len(api.received) == 2, more=more)
    assert "\n".join(api.received) == f"done why{more}"


def test_in_a_group_nobody_commands_unless_named():
    with BotApi() as api:
        api.updates = [[update(1, "/kill", chat=GROUP, sender=7), update(2, "/kill", chat=GROUP, sender=0)]]
        given = commanded(api, lambda: len(lines(api)) == 2, keys=TelegramKeys(TOKEN, GROUP))
    assert given == []


def test_what_was_sent_while_the_engine_was_down_is_answered_and_not_carried_out():
    with BotApi() as api:
        api.updates = [[update(4, "/flatten", date=900), update(5, "/kill", date=969), update(6, "/pause")]]
        given = commanded(api, lambda: len(api.received) == 1)
    assert given == [ChatCommand("telegram-6", "pause", ())]
    assert lines(api) == [
        "/flatten arrived too late and was not carried out",
        "/kill arrived too late and was not carried out",
        "done pause",
    ]


def test_an_update_that_is_delivered_twice_is_carried_out_once():
    with BotApi() as api:
        api.updates = [[update(7, "/flatten")], [update(7, "/flatten")], [update(8, "/pause")]]
        given = commanded(api, lambda: len(api.received) == 2)
    assert [command.command_id for command in given] == ["telegram-7", "telegram-8"]


def test_numbers_that_begin_anew_after_a_quiet_week_are_still_heard():
    with BotApi() as api:
        api.updates = [[update(900, "/pause")], [], [update(3, "/flatten")]]
        given = commanded(api, lambda: len(api.received) == 2 and api.attempts > 8)
    assert [command.name for command in given] == ["pause", "flatten"]
    polls = [str(form.get("offset", "")) for form in api.forms if "chat_id" not in form]
    assert polls[:4] == ["", "901", "", "4"]


def test_an_answer_that_cannot_be_sent_is_tried_again_and_costs_no_command():
    sleep = Sleeper()
    with BotApi() as api:
        api.refuse_sending = [
            refused(429, "Too Many Requests", retry_after=5),
            web.Response(status=502),
            None,
            *(web.Response(status=500) for _ in range(4)),
        ]
        api.updates = [[update(1, "/pause")], [update(2, "/flatten")], [update(3, "/resume")]]
        given = commanded(api, lambda: len(api.received) == 2, sleep)
    assert [command.name for command in given] == ["pause", "flatten", "resume"]
    assert api.received == ["done pause", "done resume"]
    assert sleep.slept[:6] == [5.0, 2.0, 1.0, 2.0, 4.0, 8.0]
