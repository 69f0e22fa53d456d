"""Predicts the problems of vendoring a Python project's dependencies, from their text.

For a project that does not configure vendoring the problems are only notes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Severity
from cloacina_ctl.vendoring.declared.imports import may_have_dependencies

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.project.model import Project


def check_vendoring(project: Project) -> Iterator[Diagnostic]:
    """Yield the problems of vendoring: errors where it fails, warnings where it needs input."""
    if not (project.config.vendor or may_have_dependencies(project.root)):
        return
    from cloacina_ctl.vendoring.foresight import foresee

    foresight = foresee(project)
    if not project.config.vendor:
        yield from _as(Severity.NOTE, (*foresight.broken, *foresight.needing))
        return
    yield from (*foresight.unreadable, *foresight.broken)
    yield from _as(Severity.WARNING, foresight.needing)
    yield from foresight.unread


def _as(severity: Severity, found: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    return (one._replace(severity=severity) for one in found)
