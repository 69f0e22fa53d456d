"""The shipped table of characters against Unicode 13.0 itself."""

from __future__ import annotations

import subprocess
import sys
import unicodedata

import pytest

from cloacina_ctl.unicode_names import is_allowed

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@pytest.mark.skipif(unicodedata.unidata_version != "13.0.0", reason="needs Unicode 13.0 to compare")
def test_the_table_is_that_of_unicode_13() -> None:
    for number in range(0x80, sys.maxunicode + 1):
        character = chr(number)
        assert is_allowed(character) == (unicodedata.category(character) not in HIDDEN), number


def test_later_interpreters_differ_only_by_what_is_new() -> None:
    """No character changes from hidden to shown but by being assigned after 13.0."""
    for number in range(0x80, sys.maxunicode + 1):
        if is_allowed(chr(number)):
            assert unicodedata.category(chr(number)) not in HIDDEN, number


@pytest.mark.parametrize(
    ("character", "allowed"),
    [
        ("\x80", False),
        ("\x9f", False),
        ("\xa0", True),
        ("\xad", False),
        ("\xff", True),
        ("\u0378", False),
        ("\u061d", False),  # Unicode 14
        ("\u200b", False),
        ("\u2028", False),
        ("\ud800", False),
        ("\ue000", False),
        ("\ufffd", True),
        ("\uffff", False),
        ("\U0001f978", True),  # Unicode 13
        ("\U0001fae0", False),  # Unicode 14
        ("\U0003134a", True),
        ("\U0003134b", False),
        ("\U000e0100", True),
        ("\U0010ffff", False),
    ],
)
def test_knows_characters_at_the_edges(character: str, allowed: bool) -> None:
    assert is_allowed(character) is allowed


def test_plain_names_do_not_load_the_table() -> None:
    code = (
        "import sys; from cloacina_ctl.paths import check_path;"
        "assert check_path('a/b.py') is None;"
        "assert 'cloacina_ctl.unicode_names' not in sys.modules;"
        "assert check_path('é') is None;"
        "assert 'cloacina_ctl.unicode_names' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
