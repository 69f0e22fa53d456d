"""Foreign text on a terminal."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.cli.terminal.escape import escape, escape_printed, escape_shown, shorten

ANY_TEXT = st.text(st.characters(exclude_categories=())) | st.text(
    "\x1b[]\\\n\r\t\x07\u202e\u200ba1;m"
)


@given(ANY_TEXT)
def test_nothing_is_left_that_does_not_show(text):
    for character in escape(text):
        category = unicodedata.category(character)
        assert category not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
        assert category != "Zs" or character == " "


@given(ANY_TEXT)
def test_escaping_twice_changes_nothing(text):
    assert escape(escape(text)) == escape(text)


@given(ANY_TEXT)
def test_what_was_there_can_be_told_by_eye(text):
    shown = escape(text.replace("\\", "/"))
    assert shown.encode("latin-1", "backslashreplace").decode("unicode_escape") == text.replace(
        "\\", "/"
    )


@pytest.mark.parametrize(
    "text", ["plain", "größe", "日本語", "Ελλάδα", "עברית", "😀", "é", "a\\b", "[bold]"]
)
def test_letters_of_all_scripts_stay(text):
    assert escape(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\x9b", "\\x9b"),
        ("\x7f", "\\x7f"),
        ("\u202egpj", "\\u202egpj"),
        ("\u200b", "\\u200b"),
        ("\u2028", "\\u2028"),
        ("\udc80", "\\udc80"),
        ("\ue000", "\\ue000"),
        ("\U000e0041", "\\U000e0041"),
        ("\u3164", "\\u3164"),
        ("\xa0", "\\xa0"),
        ("\ufe0f", "\\ufe0f"),
        ("\u0378", "\\u0378"),
    ],
)
def test_what_does_not_show_is_spelt(text, shown):
    assert escape(text) == shown


def test_lines_of_our_own_keep_colour_and_line_ends_and_nothing_else():
    assert escape_shown("\x1b[1;31mred\x1b[0m\nnext\x1b[2J\x1b]52;c;x\x07") == (
        "\x1b[1;31mred\x1b[0m\nnext\\x1b[2J\\x1b]52;c;x\\x07"
    )


@given(st.text(), st.integers(20, 200))
def test_a_text_is_shortened_to_its_size(text, size):
    short = shorten(text, size)
    assert len(short.encode("utf-8", "backslashreplace")) <= size
    assert short == text or " ... " in short


@pytest.mark.parametrize(
    "text", ["\u2699\ufe0f  Processing", "done \u2714\ufe0f\u2714\ufe0f", "plain"]
)
def test_a_symbol_that_a_task_prints_keeps_its_colour(text):
    assert escape_printed(text) == text
    assert "\ufe0f" not in escape(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\ufe0f", "a\\ufe0f"),
        ("\ufe0f", "\\ufe0f"),
        ("\u2699\ufe0f\ufe0f\x1b[2J", "\u2699\ufe0f\\ufe0f\\x1b[2J"),
        ("\\ufe0f", "\\ufe0f"),
    ],
)
def test_anywhere_else_it_is_spelt_out_as_ever(text, shown):
    assert escape_printed(text) == shown


@given(ANY_TEXT)
def test_what_is_printed_is_escaped_but_for_that(text):
    assert escape_printed(text).replace("\ufe0f", "\\ufe0f") == escape(text)
