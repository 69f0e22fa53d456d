"""What a run of the engines said: `measured.json`, written by `python -m tests.engines.report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.engines import traps
from tests.engines.matrix import CARGO_SECONDS, SOURCE
from tests.engines.running import Verdict, run

if TYPE_CHECKING:
    from tests.engines.matrix import Row

FILE = Path(__file__).with_name("measured.json")


def measured() -> dict[str, Any]:
    """Return the committed measurements: ``matrix`` and ``traps``, by name and by release."""
    return dict(json.loads(FILE.read_text(encoding="utf-8")))


def as_cell(verdict: Verdict) -> dict[str, Any]:
    """Return what of a verdict is the same in each run."""
    cell: dict[str, Any] = {"outcome": verdict.outcome}
    if verdict.words:
        cell["words"] = verdict.words
    if verdict.replayed:
        cell["replayed"] = True
    return cell


def measure_cell(row: Row, release: str, folder: Path) -> Verdict:
    """Make the row's package for the release and hand it over."""
    made = row.make(release, folder)
    builds = row.compiled and made.library is None and release in SOURCE
    return run(
        release,
        made.package,
        folder / "engine",
        context=row.context,
        library=made.library,
        workflow=row.workflow,
        building=CARGO_SECONDS if builds else 0.0,
    )


def measure_trap(trap: traps.Trap, release: str, folder: Path) -> Verdict:
    """Hand the trap's archive over."""
    package = folder / f"{trap.name}.cloacina"
    package.write_bytes(trap.build())
    return run(release, package, folder / "engine", context={"items": [1, 2]})
