"""`docs/formats.md` says of the runtimes what the table of rules says."""

from __future__ import annotations

import re

from cloacina_ctl.releases.table import RELEASES, SHADOWED_NAMES, SOURCES
from tests.support.projects import DOCS

PAGE = (DOCS / "formats.md").read_text("utf-8")


def between(name: str) -> str:
    found = re.search(rf"<!-- {name}: begin -->\n(.*)\n<!-- {name}: end -->", PAGE, re.DOTALL)
    assert found
    return found[1]


def megabytes(size: int | None) -> str:
    return "–" if size is None else f"{-(-size // (1 << 20))} MiB"


def runtime_table() -> str:
    """Return the table of runtimes, a row each."""
    lines = [
        (
            "| `--runtime` | measured | format | languages | crates of | `[metadata]` | "
            "`[package].language` | ratio | files | in all | package |"
        ),
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in RELEASES:
        keys = "–" if one.format == "v1" else "open"
        if one.metadata_keys is not None:
            keys = "closed, with `providers`" if "providers" in one.metadata_keys else "closed"
        cells = (
            f"`{one.name}`", one.measured, f"`{one.format}`", ", ".join(one.languages),
            ", ".join(one.crates), keys, "needed" if one.package_language else "–",
            f"{one.ratio} ×" if one.ratio else "–",
            f"{one.entries:,}".replace(",", " ") if one.entries else "–",
            megabytes(one.total), megabytes(one.upload),
        )  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def source_table() -> str:
    """Return how each rule is known."""
    rows = [f"| {source.rule} | {source.known} |" for source in SOURCES.values()]
    return "\n".join(["| rule | how it is known |", "|---|---|", *rows])


def test_the_table_of_runtimes_is_the_one_that_the_program_has():
    assert between("runtimes") == runtime_table()


def test_how_each_rule_is_known_stands_there():
    assert between("known") == source_table()


def test_the_names_that_runtimes_refuse_are_listed():
    assert set(re.findall(r"`(\w+)`", between("shadowed"))) == SHADOWED_NAMES
