"""The README is true: its tables, its transcript and every link of the pages."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cloacina_ctl.cli import app, exits

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted(
    path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED_PATH = re.compile(r"`((?:docs|tests|fixtures|cloacina_ctl)/[\w./-]+)`")
# What another run says otherwise: fingerprints and digests, whole or their beginning, times, and
# how long something took, with what aligns it.
VARIABLE = re.compile(
    r"\b(?:[0-9a-f]{64}|[0-9a-f]{16})\b|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ| +[\d.]+ m?s\b"
)


def between(name: str) -> str:
    """Return what stands between the two comments called ``name``."""
    found = re.search(rf"<!-- {name}: begin -->\n(.*)<!-- {name}: end -->", README, re.DOTALL)
    assert found, name
    return found[1]


def rows(name: str) -> list[tuple[str, str]]:
    """Return the cells of a table of two columns, without its head."""
    lines = between(name).splitlines()
    cells = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]
    return [(first, second) for first, second in cells[2:]]


def verbs(cell: str) -> list[str]:
    """Return the commands that a cell such as `key generate`, `list` names."""
    first, *others = re.findall(r"`([^`]+)`", cell)
    group = first.partition(" ")[0]
    return [first, *(f"{group} {other}" for other in others)]


def steps() -> list[tuple[str, list[str]]]:
    """Return each command of the transcript with the lines that follow it."""
    block = between("transcript").removeprefix("```console\n").partition("\n```")[0]
    pieces = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(piece.split("\n")[0], piece.rstrip().split("\n")[1:]) for piece in pieces]


def normal(lines: list[str]) -> list[str]:
    return [VARIABLE.sub("…", line) for line in lines]


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made where pages are shown."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def test_the_table_of_verbs_names_every_command_in_order_and_no_other():
    named = [verb for cell, _ in rows("verbs") for verb in verbs(cell)]
    assert tuple(named) == app.NAMES


@pytest.mark.parametrize(("cell", "says"), rows("verbs"), ids=lambda text: text.split("`")[-2:][0])
def test_a_verb_does_what_its_help_says(cell, says):
    first = verbs(cell)[0]
    group = first.partition(" ")[0]
    if group in app.GROUPS:
        assert app.GROUPS[group].startswith(says.removesuffix("."))
    else:
        assert app.load(first).summary == says


def test_the_table_of_exit_statuses_is_that_of_the_program():
    assert tuple(rows("exits")) == exits.MEANINGS


def test_the_transcript_is_what_the_program_says(tmp_path):
    ignored = shutil.ignore_patterns("target")  # others may be building there
    shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures", ignore=ignored)
    unset = ("CLOACINA_CTL_SIGNING_KEY", "CLOACINA_CTL_PASSPHRASE_FILE", "FORCE_COLOR")
    environment = {key: value for key, value in os.environ.items() if key not in unset}
    environment["CLOACINA_CTL_CONFIG_DIR"] = str(tmp_path / "user")
    assert steps()
    for line, expected in steps():
        program, *words = shlex.split(line)
        assert program == "cloacina-ctl"
        done = subprocess.run(
            [sys.executable, "-m", "cloacina_ctl", *words],
            cwd=tmp_path, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=60, check=False,
        )  # fmt: skip
        # Where there is no terminal, `run` tells on standard error what its table would show.
        shown = done.stdout if words[0] == "run" else done.stdout + done.stderr
        said = shown.decode().splitlines()
        said = [one for one in said if "[T012]" not in one]  # so says a kernel without namespaces
        assert normal(said) == normal(expected), line
        assert done.returncode == 0, line


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_to_a_file_and_to_a_heading_of_it(page):
    lost = []
    for target in LINK.findall(FENCE.sub("", (ROOT / page).read_text("utf-8"))):
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            lost.append(target)
    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_path_of_this_project_that_a_page_names_is_there(page):
    named = NAMED_PATH.findall((ROOT / page).read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []
