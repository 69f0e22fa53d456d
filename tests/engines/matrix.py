"""Which package is handed to which engine, and what is to come out of it.

`runs_on` is what we promise. What the other releases do with the package, and their own words, was
measured: `measured.json`, which the tests compare with a new run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tests.engines import made
from tests.engines.installed import RELEASES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ALL = tuple(RELEASES)
SOURCE = ALL[2:]
SINCE_0_5 = ALL[3:]
SINCE_0_6 = ALL[4:]
# 0.4 and 0.5 start cargo themselves while they load.
CARGO_SECONDS = 900.0


class Row(NamedTuple):
    """A package. ``context`` goes in, ``comes_out`` must be in what comes out where it runs."""

    name: str
    title: str
    make: Callable[[str, Path], made.Made]
    runs_on: tuple[str, ...]
    comes_out: Mapping[str, Any]
    context: Mapping[str, Any] = {}
    workflow: str | None = None
    compiled: bool = False
    notes: Mapping[tuple[str, ...], str] = {}


_ORDERS = {"text": "1, DE, 1000\n2, FR, 500\n3, XX, 1"}
_REPORT = {
    "sums": {"DE": 1390, "FR": 1090},
    "unknown": [{"number": "3", "country": "XX", "cents": 1}],
    "report": "Orders of the day\n=================\nDE: 13.90\nFR: 10.90\n\nWithout a rate: 1\n",
}
_TOTAL = {"total_in_cents": 3195, "bad_orders": 1, "report": "3195 cents, 1 bad orders"}
_SENSORS = {"good_values": [21, 19, 20], "final_report": {"count": 3, "sum": 60}}
_OLD = ALL[:2]
_LIBRARIES = "these releases load compiled libraries alone"
_NOT_BZIP2 = "these releases load sources in bzip2 alone: make a `source` package of the crate"
_NOT_LIBRARIES = {_OLD: _LIBRARIES}
_LAYOUT = (
    "the layout of 0.3 is not that of 0.2; this release has no package that it runs (see below)"
)

ROWS = (
    Row(
        "python",
        "Python project",
        made.python,
        SOURCE,
        _REPORT,
        _ORDERS,
        notes=_NOT_LIBRARIES,
    ),
    Row(
        "everywhere",
        "Python project, one package for all, made for 0.6",
        made.everywhere,
        SOURCE,
        _REPORT,
        _ORDERS,
        notes=_NOT_LIBRARIES,
    ),
    Row(
        "converted",
        "Python project, native package converted",
        made.converted,
        SOURCE,
        _REPORT,
        _ORDERS,
        notes=_NOT_LIBRARIES,
    ),
    Row(
        "vendored",
        "Python project with `--vendor`",
        made.vendored,
        SOURCE,
        {"centimetres": [30.48, 304.8]},
        {"feet": [1, 10]},
        notes=_NOT_LIBRARIES,
    ),
    Row(
        "padded",
        "Python project with `--pad`",
        made.padded,
        SOURCE,
        {"zone": "zone 7, far away", "lines": 40_000},
        {"number": 3},
        notes={**_NOT_LIBRARIES, ALL[2:4]: "have no limit on the ratio, so no padding is added"},
    ),
    Row(
        "graph_task",
        "Python workflow whose task invokes a graph",
        made.graph_task,
        SINCE_0_6,
        {"orders": 3, "score": {"points": 30}},
        {"items": ["a", "b", "c"]},
        notes={
            **_NOT_LIBRARIES,
            ("0.4.0",): "has no graphs",
            ("0.5.1",): "a graph must react to something; no task can invoke it",
        },
    ),
    Row(
        "graph",
        "Python computation graph with a reactor",
        made.graph,
        SINCE_0_5,
        {"signal": "120 is high"},
        {"price": {"price": 120}},
        notes={
            **_NOT_LIBRARIES,
            ("0.4.0",): "has no graphs",
            ("0.5.1",): 'needs `package_type = ["computation_graph"]`, which later releases refuse',
        },
    ),
    Row(
        "crate",
        "crate on the crates of the same release",
        made.crate,
        SOURCE,
        _TOTAL,
        compiled=True,
        notes={
            **_NOT_LIBRARIES,
            ALL[2:4]: "the engine starts cargo itself while it loads, which takes a minute",
            (
                "0.12.0",
            ): "the crates of 0.12 ask for Rust 1.99: `--ignore-rust-version` builds them",
        },
    ),
    Row(
        "foreign_crate",
        "crate on the crates of 0.6.1",
        made.foreign_crate,
        ("0.6.1",),
        _TOTAL,
        compiled=True,
        notes={
            **_NOT_LIBRARIES,
            (*ALL[2:4], *ALL[6:]): "another interface: the crate must be built on its own release",
            ("0.8.0",): "the same interface by name, other fields in it",
        },
    ),
    Row(
        "v1",
        "crate of 0.3 with its library, `--format v1`",
        made.v1,
        ("0.3.1",),
        _SENSORS,
        workflow="sensor_report",
        notes={("0.2.0",): _LAYOUT, SOURCE: _NOT_BZIP2},
    ),
    Row(
        "converted_v1",
        "crate of 0.3, native package converted to `v1`",
        made.converted_v1,
        ("0.3.1",),
        _SENSORS,
        workflow="sensor_report",
        notes={("0.2.0",): _LAYOUT, SOURCE: _NOT_BZIP2},
    ),
    Row(
        "first",
        "library in the layout of 0.2, `v1`",
        made.first,
        ("0.3.1",),
        {"count": 1},
        workflow="first_workflow",
        notes={
            ("0.2.0",): "the engine uses what a library told it after it has unloaded the library",
            SOURCE: _NOT_BZIP2,
        },
    ),
)


def note(row: Row, release: str) -> str | None:
    """Return what a reader should know of the cell."""
    return next((text for releases, text in row.notes.items() if release in releases), None)
