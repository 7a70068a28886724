"""docs/indicators.md and the docstrings it is made of."""

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
