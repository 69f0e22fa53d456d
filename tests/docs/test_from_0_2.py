"""The page for those who come from the first program of this name."""

import re
import shlex

import pytest

from cloacina_ctl.cli.parsing import table
from cloacina_ctl.cli.parsing.declaration import COMMON
from tests.support.machine import need
from tests.support.projects import DOCS, FIXTURES
from tests.support.transcripts import normal, said_by, steps_of

PAGE = (DOCS / "from-cloacina-ctl-0.2.md").read_text("utf-8")
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
    groups = {name.partition(" ")[0] for name in table.NAMES}
    named = [text for row in ROWS if len(row) > 1 for text in row[1]]
    lines = re.findall(r"^\$ cloacina-ctl (.*)", PAGE, re.MULTILINE)
    for text in [*named, *lines]:
        verb, *words = shlex.split(text.partition(" | ")[0].partition("#")[0])
        if verb not in groups:
            continue
        options = (*COMMON, *(table.load(verb).options if verb in table.NAMES else ()))
        flags = {flag for option in options for flag in option.flags}
        for word in words:
            if word.startswith("-") and word != "--":
                assert word.strip("[]") in flags, text
    assert {"package", "inspect", "validate", "unpack"} <= groups


@pytest.mark.slow
def test_the_demo_of_the_tutorial_says_what_the_page_says(tmp_path):
    need("cargo")
    sensors = str(FIXTURES / "rust_tutorial")  # where it is compiled once for all tests
    said_by("cloacina-ctl key generate", tmp_path)
    steps = steps_of(PAGE.split("<!-- demo: begin -->")[1].split("<!-- demo: end -->")[0])
    assert len(steps) == 5
    for line, expected in steps:
        said = said_by(line.replace("package sensors", f"package {sensors}"), tmp_path)
        assert without_sizes(said) == without_sizes(normal(expected)), line


def without_sizes(lines):
    """Compilers differ in what they make."""
    return [re.sub(r"[\d.]+ KiB", "… KiB", line) for line in lines]
