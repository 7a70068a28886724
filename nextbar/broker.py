"""The broker's settings as people write them: on top of a backtest's defaults."""

from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError, model_validator

from engine.backtest.data.broker_config import BROKER_DEFAULTS, BrokerConfig, merged_broker
from engine.backtest.data.configuration import ConfigError
from runtime.settings.refusals import sentence


class Broker(BrokerConfig):
    """Costs, sizing, account and fills of a backtest; what is not given is as on the command line.

    `Broker(commission_percent=0.04, slippage_ticks=2, cash=1_000)`. One of `cash`, `percent_of_equity` (10 by
    default), `risk_percent` and `qty` sizes an entry.
    """

    commission_percent: float = Field(default=BROKER_DEFAULTS["commission_percent"], ge=0.0, le=100.0)
    slippage_ticks: int = Field(default=BROKER_DEFAULTS["slippage_ticks"], ge=0, le=1_000_000)

    if not TYPE_CHECKING:  # which knows the arguments by the fields

        def __init__(self, **given: Any) -> None:  # noqa: ANN401  # checked by the fields
            try:
                super().__init__(**given)
            except ValidationError as error:
                raise ConfigError(f"nb.Broker: {sentence(error, type(self), raw=given)}") from None

    @model_validator(mode="before")
    @classmethod
    def _on_the_defaults(cls, raw: object) -> object:
        return merged_broker(raw)
