"""The README is true: its tables, its transcript and every link of the pages."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cloacina_ctl.cli import exits
from cloacina_ctl.cli.parsing import table
from tests.support.projects import ROOT
from tests.support.transcripts import normal, said_by, steps_of

README = (ROOT / "README.md").read_text("utf-8")
PAGES = sorted(
    path.relative_to(ROOT) for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"))
)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
NAMED_PATH = re.compile(r"`((?:docs|tests|fixtures|cloacina_ctl)/[\w./-]+)`")


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


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made where pages are shown."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def test_the_table_of_verbs_names_every_command_in_order_and_no_other():
    named = [verb for cell, _ in rows("verbs") for verb in verbs(cell)]
    assert tuple(named) == table.NAMES


@pytest.mark.parametrize(("cell", "says"), rows("verbs"), ids=lambda text: text.split("`")[-2:][0])
def test_a_verb_does_what_its_help_says(cell, says):
    first = verbs(cell)[0]
    group = first.partition(" ")[0]
    if group in table.GROUPS:
        assert table.GROUPS[group].startswith(says.removesuffix("."))
    else:
        assert table.load(first).summary == says


def test_the_table_of_exit_statuses_is_that_of_the_program():
    assert tuple(rows("exits")) == exits.MEANINGS


def test_the_transcript_is_what_the_program_says(tmp_path):
    ignored = shutil.ignore_patterns("target")  # others may be building there
    shutil.copytree(ROOT / "fixtures", tmp_path / "fixtures", ignore=ignored)
    steps = steps_of(between("transcript"))
    assert steps
    for line, expected in steps:
        assert said_by(line, tmp_path) == normal(expected), line


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
