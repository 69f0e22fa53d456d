"""The page and its tests name the same rules."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = (HERE.parents[2] / "docs" / "format.md").read_text("utf-8")
RULES = [int(number) for number in re.findall(r"\*\*F([0-9]+)\.\*\*", PAGE)]
TESTED = {
    int(number)
    for path in HERE.glob("test_*.py")
    for number in re.findall(r"^def test_f([0-9]+)_", path.read_text("utf-8"), re.MULTILINE)
}


def test_every_rule_of_the_page_has_its_number_once_and_in_order():
    assert list(range(1, len(RULES) + 1)) == RULES


def test_every_rule_of_the_page_has_a_test():
    assert sorted(set(RULES) - TESTED) == []


def test_every_test_carries_a_number_of_the_page():
    assert sorted(TESTED - set(RULES)) == []
    for path in HERE.glob("test_*_*.py"):
        names = re.findall(r"^def (test_\w+)", path.read_text("utf-8"), re.MULTILINE)
        assert [name for name in names if not re.match(r"test_f[0-9]+_", name)] == []


def test_every_rule_that_the_text_refers_to_exists():
    assert {int(number) for number in re.findall(r"\bF([0-9]+)\b", PAGE)} == set(RULES)
