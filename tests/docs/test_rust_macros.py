"""`docs/rust-macros.md` says of the macros what the tables of the rules say."""

from __future__ import annotations

import re

from cloacina_ctl.checks.rust.macro_tables import MACROS, RULE_FUNCTIONS, RULE_OPERATORS
from cloacina_ctl.checks.rust.releases import FIRST, span
from cloacina_ctl.releases.table import RELEASES
from tests.engines.rust_cases import CASES
from tests.support.projects import DOCS

PATH = DOCS / "rust-macros.md"
PAGE = PATH.read_text("utf-8")


def between(name: str) -> str:
    found = re.search(rf"<!-- {name}: begin -->\n(.*?)<!-- {name}: end -->", PAGE, re.DOTALL)
    assert found
    return found[1]


def arguments() -> str:
    lines = ["| macro | argument | takes | releases | must be there |", "|---|---|---|---|---|"]
    for name, macro in MACROS.items():
        for argument, key in macro.keys.items():
            since = max(macro.since, key.since)
            until = min((one for one in (macro.until, key.until) if one), default=None)
            releases = "all" if (since, until) == (FIRST, None) else span(since, until)
            last = macro.required.get(argument, FIRST)
            needed = "–" if last == FIRST else "yes" if last is None else span(until=last)
            cells = (f"`{name}`", f"`{argument}`", key.takes, releases, needed)
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def crates() -> str:
    lines = ["| release | needed |", "|---|---|"]
    for runtime in RELEASES:
        names = ", ".join(f"`{name}`" for name in sorted(runtime.needed_crates))
        lines.append(f"| {runtime.name} | {names} |")
    return "\n".join(lines) + "\n"


def test_lists_the_arguments_of_every_macro() -> None:
    assert between("arguments") == arguments()


def test_lists_the_crates_that_each_release_needs() -> None:
    assert between("crates") == crates()


def test_names_every_code_that_a_case_shows_and_every_word_of_a_rule() -> None:
    codes = {case.code for case in CASES if case.code} - {"R017"}
    assert {code for code in codes if code not in PAGE} == set()
    assert {word for word in (*RULE_FUNCTIONS, *RULE_OPERATORS) if f"`{word}" not in PAGE} == set()
