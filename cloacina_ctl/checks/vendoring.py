"""What would go wrong with vendoring a Python project's dependencies, judged from their text.

A project that does not say that it is vendored is told of what it would meet in notes alone.
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
    """Yield what vendoring would meet: an error where it fails, a warning where it needs help."""
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
