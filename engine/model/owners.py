"""Names of strategies on orders, fills and in the journal: "rsi:s1" is the strategy rsi with the id s1."""

import re


def short_name(text: str) -> str:
    """The short name of a strategy given by its place: its class's, or without one its file's.

    rsi of `rsi`, Breakaway of `strategies/breakaway.py:Breakaway`.
    """
    place, _, class_name = text.rpartition(":")
    if place and class_name:
        return class_name.rpartition(".")[2]
    return re.split(r"[/\\]", text)[-1].removesuffix(".py").removesuffix(".toml") or text


def owner_of(name: str, identity: str) -> str:
    """The owner's name of one configured strategy."""
    return f"{name}:{identity}"


def strategy_name(owner: str) -> str:
    """The strategy's name, which it shares with others of its kind."""
    return owner.partition(":")[0]


def identity_of(owner: str) -> str:
    """The id that tells it apart from others of its kind."""
    return owner.partition(":")[2]
