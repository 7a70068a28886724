"""docs/configuration.md, made from the models: `python -m runtime.settings.page > docs/configuration.md`."""

import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from runtime.settings.models import Settings
from runtime.settings.patterns import in_words

HEAD = """# Configuration

Each environment has one file, `configs/<environment>.toml`. Every key is checked: an unknown key, a wrong
type or a value out of range stops the start with one sentence. Money is in the quote asset; 1 percent is one
hundredth. A default of none means that the key may be left out. Keys of `configs/<environment>.local.toml`
lie on top of it, tables key by key, lists as a whole: a file of your own, which no update touches.
This page is generated from `runtime/settings/models.py` by `python -m runtime.settings.page`; a test keeps it
up to date.
"""
FILLED_IN = {"environment": "the name of the file"}
"""Keys that the models require and `runtime.settings.load` fills in where the file omits them."""
LIMITS = {
    "exclusiveMinimum": "above {}",
    "minimum": "from {}",
    "exclusiveMaximum": "below {}",
    "maximum": "to {}",
    "minItems": "at least {}",
    "maxItems": "at most {}",
}


def page() -> str:
    """The whole page."""
    schema = Settings.model_json_schema()
    definitions = schema["$defs"]
    parts = [HEAD, *_section("", Settings, schema, definitions)]
    for key, field in Settings.model_fields.items():
        model = _model_of(field.annotation)
        if model is not None:
            title = f"[[{key}]]" if key == "strategies" else f"[{key}]"
            parts += _section(title, model, definitions[model.__name__], definitions)
            for inner, inner_field in model.model_fields.items():
                inner_model = _model_of(inner_field.annotation)
                if inner_model is not None:
                    inner_title = f"[{key}.{inner}]"
                    parts += _section(
                        inner_title, inner_model, definitions[inner_model.__name__], definitions
                    )
    return "\n".join(parts).rstrip() + "\n"


def _section(
    title: str, model: type[BaseModel], schema: dict[str, Any], definitions: dict[str, Any]
) -> Iterator[str]:
    if title:
        yield f"## `{title}`\n"
        yield f"{(model.__doc__ or '').strip()}\n"
    yield "| key | what it is | allowed | default |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        if name == "home" or _model_of(field.annotation) is not None:
            continue
        kinds = allowed(schema["properties"][name], definitions).replace("|", "\\|")
        default = _default(name, field)
        yield f"| `{name}` | {' '.join((field.description or '').split())} | {kinds} | {default} |"
    yield ""


def _default(name: str, field: FieldInfo) -> str:
    if name in FILLED_IN:
        return FILLED_IN[name]
    return "required" if field.is_required() else plain(field.get_default(call_default_factory=True))


def allowed(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """Allowed values of a key in words, from its JSON schema; null is left out."""
    if "enum" in schema:
        return ", ".join(plain(value) for value in schema["enum"])
    if "const" in schema:
        return plain(schema["const"])
    if "anyOf" in schema:
        choices = [choice for choice in schema["anyOf"] if choice.get("type") not in {"null", "string"}]
        return " or ".join(
            dict.fromkeys(allowed(choice, definitions) for choice in choices or schema["anyOf"])
        )
    if "pattern" in schema:
        return in_words(schema["pattern"])
    words = [str(schema.get("type", "text"))]
    words += [text.format(schema[key]) for key, text in LIMITS.items() if key in schema]
    if "items" in schema:
        words.append(f"of {allowed(schema['items'], definitions)}")
    return " ".join(words)


def plain(value: object) -> str:
    """A value as it is written in a configuration file, "none" where it is left out."""
    if isinstance(value, Decimal):
        return f"{value}"
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _model_of(annotation: object) -> type[BaseModel] | None:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


if __name__ == "__main__":
    sys.stdout.write(page())
