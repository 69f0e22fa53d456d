"""The manifest of a package: its schema, as a module that engines can import too.

Needs only the standard library. ``parse`` gives a :class:`Manifest` or a :class:`ManifestError`
with everything that is wrong; ``dump`` gives the canonical bytes back::

    from cloacina_ctl.manifest import parse

    manifest = parse(open("manifest.json", "rb").read())
    for workflow in manifest.workflows:
        print(workflow.name, [task.id for task in workflow.tasks])

docs/manifest.md describes every field.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cloacina_ctl.manifest.decode import ManifestError as ManifestError
    from cloacina_ctl.manifest.decode import content_id as content_id
    from cloacina_ctl.manifest.decode import dump as dump
    from cloacina_ctl.manifest.decode import parse as parse
    from cloacina_ctl.manifest.graph import find_cycle as find_cycle
    from cloacina_ctl.manifest.graph import layers as layers
    from cloacina_ctl.manifest.model import (
        FORMAT_VERSION as FORMAT_VERSION,
    )
    from cloacina_ctl.manifest.model import Accumulator as Accumulator
    from cloacina_ctl.manifest.model import Artifact as Artifact
    from cloacina_ctl.manifest.model import BuiltWith as BuiltWith
    from cloacina_ctl.manifest.model import Contents as Contents
    from cloacina_ctl.manifest.model import Edge as Edge
    from cloacina_ctl.manifest.model import Graph as Graph
    from cloacina_ctl.manifest.model import Interface as Interface
    from cloacina_ctl.manifest.model import Language as Language
    from cloacina_ctl.manifest.model import Libc as Libc
    from cloacina_ctl.manifest.model import Manifest as Manifest
    from cloacina_ctl.manifest.model import PackageInfo as PackageInfo
    from cloacina_ctl.manifest.model import Param as Param
    from cloacina_ctl.manifest.model import Requires as Requires
    from cloacina_ctl.manifest.model import Retry as Retry
    from cloacina_ctl.manifest.model import Task as Task
    from cloacina_ctl.manifest.model import Trigger as Trigger
    from cloacina_ctl.manifest.model import Workflow as Workflow
    from cloacina_ctl.manifest.schema import json_schema as json_schema

_HOMES = {
    **dict.fromkeys(("ManifestError", "content_id", "dump", "parse"), "decode"),
    **dict.fromkeys(("find_cycle", "layers"), "graph"),
    "json_schema": "schema",
    **dict.fromkeys(
        (
            "FORMAT_VERSION", "Accumulator", "Artifact", "BuiltWith", "Contents", "Edge", "Graph",
            "Interface", "Language", "Libc", "Manifest", "PackageInfo", "Param", "Requires",
            "Retry", "Task", "Trigger", "Workflow",
        ),
        "model",
    ),
}  # fmt: skip
__all__ = sorted(_HOMES)  # noqa: PLE0605 - the names of the table


def __getattr__(name: str) -> object:
    """Import a public name from its module when it is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value
