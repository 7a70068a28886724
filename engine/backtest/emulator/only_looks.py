"""The broker as a script has it on an informative bar: what it reads is true, what it orders does nothing."""

from engine.backtest.emulator.view import BrokerView


class OnlyLooks:
    """Reads from a broker; its verbs place, change and cancel nothing."""

    def __init__(self, broker: BrokerView) -> None:
        self._broker = broker

    def __getattr__(self, name: str) -> object:
        return getattr(self._broker, name)

    def _nothing(self, *_: object, **__: object) -> None:
        pass

    entry = order = exit = close = close_all = cancel = cancel_all = _nothing
