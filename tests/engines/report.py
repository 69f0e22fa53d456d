"""Writes `docs/compatibility.md`: `python -m tests.engines.report [--measure [NAME…]]`.

With ``--measure`` every cell, or those of the named rows and traps, is run first and
`measured.json` is written anew; else the page is written from what is there. A whole run takes a
quarter of an hour.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.engines.matrix import ALL, ROWS, SOURCE, Row, note
from tests.engines.measured import FILE, as_cell, measure_cell, measure_trap, measured
from tests.engines.traps import TRAPS, Trap
from tests.support.projects import DOCS

PAGE = DOCS / "compatibility.md"
_SIGNS = {"runs": "✓", "loads": "loads", "refused": "–"}

TEMPLATE = Path(__file__).with_name("page.md")


def page(cells: dict[str, Any]) -> str:
    """Return the whole page."""
    notes: list[str] = []
    table = _table(cells["matrix"], notes)
    parts = {
        "@TABLE@": table,
        "@NOTES@": "".join(f"{number}. {text}\n" for number, text in enumerate(notes, 1)),
        "@TRAPS@": "".join(_trap(one, cells["traps"][one.name]) for one in TRAPS if one.since),
        "@DIED@": _shown(cells["matrix"]["first"]["0.2.0"]["words"]),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for mark, part in parts.items():
        text = text.replace(mark, part)
    return text


def _table(cells: dict[str, Any], notes: list[str]) -> str:
    lines = [f"| | {' | '.join(ALL)} |", "|---" * (len(ALL) + 1) + "|"]
    for row in ROWS:
        shown = [_cell(row, release, cells[row.name][release], notes) for release in ALL]
        lines.append(f"| {row.title} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


def _cell(row: Row, release: str, cell: dict[str, Any], notes: list[str]) -> str:
    sign = _SIGNS[cell["outcome"]]
    text = note(row, release)
    if "words" in cell:
        text = f"{text}: “{_shown(cell['words'])}”" if text else f"“{_shown(cell['words'])}”"
    if text is None:
        return sign
    if text not in notes:
        notes.append(text)
    return f"{sign} {_raised(notes.index(text) + 1)}"


def _raised(number: int) -> str:
    return f"<sup>{number}</sup>"


def _shown(words: str) -> str:
    """Return an engine's words for a table: one line, what makes Markdown of it escaped."""
    short = words if len(words) <= 240 else words[:239] + "…"
    return "".join(f"\\{char}" if char in "\\`*_|<>[]" else char for char in short)


def _trap(trap: Trap, cells: dict[str, Any]) -> str:
    caught = SOURCE[SOURCE.index(trap.since or SOURCE[0]) :]
    who = "0.4 and later" if caught == SOURCE else f"{caught[0].rpartition('.')[0]} and later"
    # What the engine says itself is better than what the replayed step says.
    told = next((cells[one] for one in caught if not cells[one].get("replayed")), cells[caught[-1]])
    who += f"; {trap.remark}" if trap.remark else ""
    words = f"“{_shown(told['words'])}”"
    words = f"*{words}*" if told.get("replayed") else words
    how = "loads, and fails when it runs: " if told["outcome"] == "loads" else ""
    return f"| {trap.title} | {who} | {how}{words} | {trap.code or '–'} |\n"


def measure(names: list[str]) -> dict[str, Any]:
    """Run the cells of these rows and traps, of all where there are none; return all."""
    cells = measured() if names else {"matrix": {}, "traps": {}}
    for row in (row for row in ROWS if not names or row.name in names):
        cells["matrix"][row.name] = {one: _run(measure_cell, row, one) for one in ALL}
    for trap in (trap for trap in TRAPS if not names or trap.name in names):
        cells["traps"][trap.name] = {one: _run(measure_trap, trap, one) for one in SOURCE}
    return cells


def _run(how: Any, what: Row | Trap, release: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="engines-") as folder:
        cell = as_cell(how(what, release, Path(folder)))
    sys.stderr.write(f"{what.name} {release}: {cell}\n")
    return cell


def main() -> None:
    """Write the page, and with ``--measure`` the measurements before it."""
    if sys.argv[1:2] == ["--measure"]:
        text = json.dumps(measure(sys.argv[2:]), indent=1, ensure_ascii=False, sort_keys=True)
        FILE.write_text(text + "\n", encoding="utf-8")
    PAGE.write_text(page(measured()), encoding="utf-8")


if __name__ == "__main__":
    main()
