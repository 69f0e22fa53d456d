"""``manifest.json`` of the gzip formats: 0.2.0, 0.3, and ``format_version`` 2.

Cloacina's structures accept unknown keys and require most of the known ones; so does this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.formats.legacy.model import (
    V1Graph,
    V1Library,
    V1Manifest,
    V1Task,
    V2Manifest,
    V2Task,
    V2Trigger,
)
from cloacina_ctl.formats.legacy.table_reader import Problems, TableFields, shown
from cloacina_ctl.strict_json import parse_json

if TYPE_CHECKING:
    from cloacina_ctl.formats.limits import Limits

LANGUAGES = ("python", "rust")


def read_old_manifest(data: bytes, where: str, limits: Limits) -> V1Manifest | V2Manifest:
    """Return the values of a ``manifest.json``.

    Raises ``Refused`` with everything that is wrong in its form, and for one of a newer format.
    """
    problems = Problems(where)
    top = TableFields(parse_json(data, where), "", problems)
    version = top.raw("format_version")
    manifest = _v1(top, where, limits) if version is None else _v2(top, version, where, limits)
    top.note_unknown()
    problems.raise_any()
    return manifest._replace(unknown=tuple(problems.unknown))


def _v1(top: TableFields, where: str, limits: Limits) -> V1Manifest:
    package, library = top.table("package"), top.table("library")
    tasks = tuple(_v1_task(task) for task in top.tables("tasks", required=True))
    limits.check("tasks", len(tasks), where=where, what="the number of tasks")
    has_order = top.has("execution_order")
    order = top.texts("execution_order")
    manifest = V1Manifest(
        name=package.text("name"),
        version=package.text("version"),
        description=package.optional("description") or "",
        cloacina_version=package.text("cloacina_version"),
        author=package.optional("author"),
        workflow_fingerprint=package.optional("workflow_fingerprint"),
        library=V1Library(
            filename=_plain_name(library, "filename"),
            symbols=library.texts("symbols", required=True),
            architecture=library.text("architecture"),
        ),
        tasks=tasks,
        execution_order=order if has_order else None,
        graph=_graph(top),
    )
    package.note_unknown()
    library.note_unknown()
    return manifest


def _v1_task(fields: TableFields) -> V1Task:
    task = V1Task(
        id=fields.text("id"),
        dependencies=fields.texts("dependencies"),
        number=fields.number("index"),
        description=fields.optional("description"),
        source_location=fields.optional("source_location"),
    )
    fields.note_unknown()
    return task


def _graph(top: TableFields) -> V1Graph | None:
    graph = top.maybe_table("graph")
    if graph is None:
        return None
    return V1Graph(
        nodes=tuple(node.text("id") for node in graph.tables("nodes", required=True)),
        edges=tuple(
            (edge.text("from"), edge.text("to")) for edge in graph.tables("edges", required=True)
        ),
    )


def _v2(top: TableFields, version: object, where: str, limits: Limits) -> V2Manifest:
    if version != "2":
        raise Refused.of(
            Code.NEWER_FORMAT,
            f'made by a newer version: format_version {shown(repr(version))}, and "2" is the '
            "last that a gzip package has",
            where=where,
        )
    package = top.table("package")
    tasks = tuple(_v2_task(task) for task in top.tables("tasks", required=True))
    limits.check("tasks", len(tasks), where=where, what="the number of tasks")
    language = top.text("language")
    if language not in LANGUAGES:
        top.bad("language", f"expected python or rust, found {shown(language)}")
    part = top.table(language) if language in LANGUAGES else None
    is_python, is_rust = language == "python", language == "rust"
    manifest = V2Manifest(
        name=package.text("name"),
        version=package.text("version"),
        description=package.optional("description"),
        fingerprint=package.text("fingerprint"),
        targets=package.texts("targets"),
        language=language,
        requires_python=part.optional("requires_python") if part and is_python else None,
        entry_module=part.text("entry_module") if part and is_python else None,
        library_path=part.text("library_path") if part and is_rust else None,
        tasks=tasks,
        triggers=tuple(_v2_trigger(trigger) for trigger in top.tables("triggers")),
        created_at=top.text("created_at"),
        signature=top.optional("signature"),
    )
    for other in LANGUAGES:
        top.raw(other)
    package.note_unknown()
    return manifest


def _v2_task(fields: TableFields) -> V2Task:
    task = V2Task(
        id=fields.text("id"),
        function=fields.text("function"),
        dependencies=fields.texts("dependencies"),
        description=fields.optional("description"),
        retries=fields.number("retries"),
        timeout_seconds=fields.number("timeout_seconds"),
    )
    fields.note_unknown()
    return task


def _v2_trigger(fields: TableFields) -> V2Trigger:
    fields.raw("config")
    trigger = V2Trigger(
        name=fields.text("name"),
        trigger_type=fields.text("trigger_type"),
        workflow=fields.text("workflow"),
        poll_interval=fields.text("poll_interval"),
        allow_concurrent=fields.flag("allow_concurrent") or False,
    )
    fields.note_unknown()
    return trigger


def _plain_name(fields: TableFields, key: str) -> str:
    """Return the name of a member at the top: the library is found by name, never by a path."""
    name = fields.text(key)
    if "/" in name or name == "manifest.json":
        fields.bad(key, f"not the name of a member beside the manifest: {shown(name)}")
    return name
