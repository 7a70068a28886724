"""Names of strategies on orders, fills and in the journal: "rsi:s1" is the strategy rsi with the id s1."""


def owner_of(name: str, identity: str) -> str:
    """The owner's name of one configured strategy."""
    return f"{name}:{identity}"


def strategy_name(owner: str) -> str:
    """The strategy's name, which it shares with others of its kind."""
    return owner.partition(":")[0]


def identity_of(owner: str) -> str:
    """The id that tells it apart from others of its kind."""
    return owner.partition(":")[2]
