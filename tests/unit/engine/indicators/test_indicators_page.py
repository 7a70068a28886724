"""docs/indicators.md and the docstrings it is made of."""

import re
from typing import Any

from engine.indicators.catalog import INDICATORS, PAGE, with_table


def test_the_table_is_made_from_the_classes():
    page = PAGE.read_text("utf-8")
    assert page == with_table(page), "run: python -m engine.indicators.catalog"
    for name in INDICATORS:
        assert f"\n| `{name}(" in page


def test_every_docstring_gives_source_warm_up_and_units():
    for cls in INDICATORS.values():
        for word in ("Source: ", "Warm-up: ", "Units: "):
            assert word in (cls.__doc__ or ""), cls.__name__


def test_the_examples_of_the_page_run():
    names: dict[str, Any] = {"price": 2.0, "prices": [1.0, 2.0, 3.0], "__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["smoothed"](length=2).run(names["prices"]).tolist() == [0.5, 1.25, 2.125]
    assert names["Middle"](length=2).run(names["prices"]).tolist() == [1.0, 2.0, 3.0]
