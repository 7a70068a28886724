"""Describes a strategy's parameters: name, default, range and meaning."""

from pydantic import BaseModel
from rich.box import SIMPLE_HEAD
from rich.table import Column, Table

from engine.strategies.base import ScriptStrategy, SignalStrategy
from runtime.settings.page import allowed, plain


def describe(name: str, cls: type[SignalStrategy] | type[ScriptStrategy]) -> tuple[str, Table | None]:
    """A heading of a line or two, and a table of the parameters, None where there are none."""
    params = cls.Params
    lines = [f"{name}: {_first_line(cls.__doc__)}".rstrip(": ")]
    if not params.model_fields:
        return f"{lines[0]}\n  its class describes no parameters", None
    if "__doc__" in vars(params) and (said := _first_line(params.__doc__)):
        lines.append(f"  {said}")
    columns = [Column(head, overflow="fold") for head in ("parameter", "default", "range", "meaning")]
    table = Table(*columns, box=SIMPLE_HEAD, show_edge=False)
    properties = params.model_json_schema()
    for key, field in params.model_fields.items():
        schema = properties["properties"][field.alias or key]
        kinds = allowed(schema, properties.get("$defs", {}))
        is_nullable = any(one.get("type") == "null" for one in schema.get("anyOf", ()))
        default = "required" if field.is_required() else _value(field.get_default(call_default_factory=True))
        table.add_row(key, default, f"{kinds} or null" if is_nullable else kinds, meaning(params, key))
    return "\n".join(lines), table


def meaning(params: type[BaseModel], key: str) -> str:
    """The description of a parameter; one that only has another default keeps that of its base."""
    fields = (cls.model_fields.get(key) for cls in params.__mro__ if issubclass(cls, BaseModel))
    return next((field.description for field in fields if field is not None and field.description), "")


def _value(value: object) -> str:
    return "null" if value is None else plain(value)


def _first_line(doc: str | None) -> str:
    return next(iter((doc or "").strip().splitlines()), "")
