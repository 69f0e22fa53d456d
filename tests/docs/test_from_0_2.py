"""The page for those who come from the first program of this name."""

import re
from pathlib import Path

import pytest

from cloacina_ctl.cli import app
from cloacina_ctl.cli.command import COMMON

PAGE = (Path(__file__).parents[2] / "docs" / "from-cloacina-ctl-0.2.md").read_text("utf-8")
ROWS = [
    [re.findall(r"`([^`]+)`", cell) for cell in line.strip("|").split(" | ")]
    for line in PAGE.splitlines()
    if line.startswith("|")
]


@pytest.mark.parametrize(
    "word",
    [
        "compile",
        "package",
        "inspect",
        "visualize",
        "debug FILE list",
        "debug FILE execute",
        "--target",
        "--profile",
        "-j",
        "--jobs",
        "-v",
        "-q",
        "--color",
        "-V",
        "--format json",
        "--format dot",
        "--details",
        "--layout",
    ],
)
def test_every_command_and_option_of_0_2_0_has_a_row(word):
    assert any(text.startswith(word) or f" {word}" in text for row in ROWS for text in row[0])


def test_every_command_and_option_that_the_page_recommends_exists():
    groups = {name.partition(" ")[0] for name in app.NAMES}
    named = [text for row in ROWS if len(row) > 1 for text in row[1]]
    lines = re.findall(r"^\$ cloacina-ctl (.*)", PAGE, re.MULTILINE)
    for text in [*named, *lines]:
        verb, *words = text.partition(" | ")[0].partition("#")[0].split()
        if verb not in groups:
            continue
        options = (*COMMON, *(app.load(verb).options if verb in app.NAMES else ()))
        flags = {flag for option in options for flag in option.flags}
        for word in words:
            if word.startswith("-") and word != "--":
                assert word.strip("[]") in flags, text
    assert {"package", "inspect", "validate", "unpack"} <= groups
