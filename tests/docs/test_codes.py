"""`docs/codes.md` and `cloacina_ctl/errors.py` say the same."""

from __future__ import annotations

import re

import pytest

from cloacina_ctl.errors import Code
from tests.support.projects import DOCS

PAGE = (DOCS / "codes.md").read_text("utf-8")
HEADING = re.compile(r"^### (\S+) (.*)$", re.MULTILINE)
HEADINGS = HEADING.findall(PAGE)
LETTERS = re.findall(r"^## ([A-Z]): ", PAGE, re.MULTILINE)
MEANINGS = {str(code): code.meaning for code in Code}


def bodies() -> dict[str, str]:
    """Return the text of each section, without the headings around it."""
    _, *pieces = HEADING.split(PAGE)
    return {
        code: re.split(r"^## ", text, flags=re.MULTILINE)[0].strip()
        for code, text in zip(pieces[::3], pieces[2::3], strict=True)
    }


def test_every_code_has_exactly_one_section_and_no_section_is_without_a_code():
    assert sorted(code for code, _ in HEADINGS) == sorted(MEANINGS)


@pytest.mark.parametrize("code", MEANINGS)
def test_a_section_has_the_meaning_that_the_code_has(code):
    assert dict(HEADINGS).get(code) == MEANINGS[code]


def test_sections_stand_in_order_under_the_letter_of_their_code():
    numbers = [code for code, _ in HEADINGS]
    assert numbers == sorted(numbers)
    assert sorted({code[0] for code in MEANINGS}) == LETTERS
    current = ""
    for line in PAGE.splitlines():
        if letter := re.match(r"## ([A-Z]): ", line):
            current = letter[1]
        if code := HEADING.match(line):
            assert code[1][0] == current


def test_the_introduction_explains_every_letter():
    introduction = PAGE.partition("\n## ")[0]
    explained = re.findall(r"(?<=\| )([A-Z]) \|", introduction)
    assert sorted(explained) == LETTERS


def test_a_section_has_one_to_five_lines():
    lengths = {code: len(text.splitlines()) for code, text in bodies().items()}
    assert {code: length for code, length in lengths.items() if not 1 <= length <= 5} == {}


def test_a_section_refers_to_codes_that_exist():
    named = set(re.findall(r"\b([A-Z][0-9]{3})\b", PAGE))
    assert named - MEANINGS.keys() == set()


def test_the_page_of_a_code_is_the_anchor_of_its_section():
    # The anchor that GitHub and most renderers of Markdown make of a heading.
    anchors = {
        code: "codes.md#" + re.sub(r"[^\w\- ]", "", f"{code} {meaning}".lower()).replace(" ", "-")
        for code, meaning in HEADINGS
    }
    assert {str(code): code.page for code in Code} == anchors
