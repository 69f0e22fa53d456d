"""What a user sees is what the transcripts hold; `python -m tests.outside` writes them again."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.cli.parsing import table
from tests.outside.public_names import PAGE, public_names
from tests.outside.transcripts import FOLDER, HERE, WRITTEN_WITH, blurred, is_slow, played
from tests.support.machine import need

if TYPE_CHECKING:
    from pathlib import Path

TRANSCRIPTS = sorted(FOLDER.glob("*.txt"))


def compare(expected: str, found: str, name: str) -> None:
    """Fail with what differs, line by line."""
    lines = (text.splitlines() for text in (expected, found))
    diff = list(difflib.unified_diff(*lines, f"{name} as it was", f"{name} now", lineterm="", n=6))
    if diff:
        again = "if that is meant: python -m tests.outside"
        pytest.fail("\n".join((*diff, again)), pytrace=False)


def parameters() -> list:
    slow = {path: is_slow(path.read_text("utf-8")) for path in TRANSCRIPTS}
    return [
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if slow[path] else [])
        for path in TRANSCRIPTS
    ]


@pytest.mark.parametrize("path", parameters())
def test_what_commands_print_and_how_they_end_is_what_the_transcript_holds(path: Path):
    expected = path.read_text("utf-8")
    if path.stem == "rust":
        need("cargo")
    found = played(expected)
    if HERE != WRITTEN_WITH:
        expected, found = blurred(expected), blurred(found)
    compare(expected, found, path.name)


def test_every_command_is_called_with_json_without_and_for_its_help():
    lines = [line for path in TRANSCRIPTS for line in path.read_text("utf-8").splitlines()]
    calls = [line for line in lines if line.startswith("$ cloacina-ctl ")]
    for name in table.NAMES:
        own = [line for line in calls if f"{line} ".startswith(f"$ cloacina-ctl {name} ")]
        assert f"$ cloacina-ctl {name} --help" in own
        assert any("--help" not in line and "--json" not in line for line in own), name
        assert any("--json" in line for line in own) or name == "schema"


def test_what_python_programs_import_is_what_the_list_holds():
    compare(PAGE.read_text("utf-8"), public_names(), PAGE.name)
