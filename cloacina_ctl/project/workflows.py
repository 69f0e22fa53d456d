"""Turns the declarations of sources into those of a manifest: sorted, with package places."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.manifest import Task, Workflow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cloacina_ctl.project.model import SourceTask, SourceWorkflow

# A manifest's bound for a text.
MAX_DESCRIPTION = 4096


def to_manifest(workflow: SourceWorkflow, places: Mapping[str, str]) -> Workflow:
    """Return the workflow as a manifest has it.

    ``places`` maps paths of the project to paths of the package; a place that is not packed is
    left out. The project must have no errors of ``checks``.
    """
    return Workflow(
        name=workflow.name or "",
        tasks=tuple(sorted((_task(task, places) for task in workflow.tasks), key=lambda t: t.id)),
        description=plain_text(workflow.description),
        author=plain_text(workflow.author),
        params=workflow.params,
        triggers=tuple(sorted(workflow.triggers, key=lambda trigger: trigger.name)),
    )


def _task(task: SourceTask, places: Mapping[str, str]) -> Task:
    needs = {dependency.id for dependency in task.dependencies if dependency.id is not None}
    return Task(
        id=task.id or task.function,
        dependencies=tuple(sorted(needs)),
        description=plain_text(task.description),
        function=task.function,
        source=placed(task.place, places),
        retry=task.retry,
        trigger_rules=task.trigger_rules,
    )


def placed(place: str, places: Mapping[str, str]) -> str | None:
    """Return ``place`` (``path:line`` of the project) as one of the package."""
    path, _, line = place.rpartition(":")
    member = places.get(path)
    return f"{member}:{line}" if member else None


def plain_text(text: str | None) -> str | None:
    """Return ``text`` as a manifest may hold it: composed, on one line, of characters that show.

    A description is for people; a stray character in one is no reason to refuse a project.
    """
    if text is None:
        return None
    if not (text.isascii() and text.isprintable()):
        from unicodedata import normalize

        from cloacina_ctl.unicode_names import is_allowed

        text = " ".join(normalize("NFC", text).split())
        text = "".join(
            char for char in text if " " <= char <= "~" or (char > "\x7f" and is_allowed(char))
        )
        text = normalize("NFC", text)
    return text.strip()[:MAX_DESCRIPTION] or None
