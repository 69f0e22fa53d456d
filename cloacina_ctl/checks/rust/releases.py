"""The releases of Cloacina that a crate may be written for, and their names in messages.

Code that only some releases refuse is a finding if the crate's release is known to be one of them.
If it is not known, all of them have to refuse the code.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.project.rust.code import RustCode
from cloacina_ctl.releases.table import RELEASES, release_of_crate

if TYPE_CHECKING:
    from cloacina_ctl.project.model import Crate, Project, RustFacts
    from cloacina_ctl.releases.table import Release

Number = tuple[int, ...]
FIRST: Number = (0, 2)
CARGO_TOML = "Cargo.toml"


def facts_of(project: Project) -> RustFacts:
    """Return the facts of a Rust project."""
    if project.rust is None:
        raise TypeError("these rules are for a Rust project")
    return project.rust


def code_of(project: Project) -> RustCode:
    """Return the facts of the library's code, empty if it was not read."""
    return facts_of(project).code or RustCode()


def releases_of(crate: Crate) -> tuple[Release, ...]:
    """Return the release that the crate is written for, or all if it is not known."""
    known = release_of_crate(crate.cloacina_release)
    return (known,) if known else RELEASES


def within(
    releases: tuple[Release, ...], since: Number = FIRST, until: Number | None = None
) -> bool:
    """Return whether all of ``releases`` lie between both bounds, inclusive."""
    return all(since <= one.number and (until is None or one.number <= until) for one in releases)


def span(since: Number = FIRST, until: Number | None = None) -> str:
    """Return the range in words: ``up to 0.7``, ``from 0.6 to 0.9``, ``from 0.10 on``."""
    first, last = (".".join(map(str, one or ())) for one in (since, until))
    if since == FIRST:
        return f"up to {last}" if until else "in every release"
    if until is None:
        return f"from {first} on"
    return f"in {first}" if first == last else f"from {first} to {last}"
