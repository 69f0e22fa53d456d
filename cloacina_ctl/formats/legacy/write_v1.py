"""Writing a package of Cloacina 0.2 or 0.3: ``manifest.json`` and one library, tar in gzip.

As their packers write it, except for values that would differ from run to run: times, owners, and
tasks in the order of a hash table. ``execution_order`` is filled in; they left it empty.
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import TYPE_CHECKING, Any

from cloacina_ctl.files.staging import StagedFile, reported
from cloacina_ctl.formats.legacy.tar_writer import TarStream
from cloacina_ctl.formats.legacy.write_source import Destination, SizeRules, WrittenArchive, appear

if TYPE_CHECKING:
    from cloacina_ctl.formats.legacy.model import V1Manifest, V1Task
    from cloacina_ctl.formats.legacy.tar_writer import Feed

LEVEL = 6
# Deflate, no flags, no time, no level mark, an unknown system: as the packers' library writes it.
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Gzip:
    """One gzip member, with a header that reveals nothing about the machine."""

    def __init__(self) -> None:
        self._deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
        self._checksum = self._size = 0
        self._header = _HEADER

    def compress(self, data: bytearray | memoryview, /) -> bytes:
        """Take the next bytes."""
        self._checksum = zlib.crc32(data, self._checksum)
        self._size += len(data)
        header, self._header = self._header, b""
        return header + self._deflate.compress(data)

    def flush(self) -> bytes:
        """Return the rest, with checksum and length."""
        end = struct.pack("<II", self._checksum, self._size & 0xFFFFFFFF)
        return self._header + self._deflate.flush() + end


def write_v1(output: Destination, feed: Feed, rules: SizeRules = SizeRules()) -> WrittenArchive:
    """Make the package of the two files that ``feed`` gives; it is there, whole, or nothing is."""
    with StagedFile(output.path, replace=output.replace) as staged:
        with reported(output.path), TarStream(staged.fd, "", Gzip()) as stream:
            feed(stream)
        made = WrittenArchive(tuple(stream.files), stream.size, stream.digest)
        appear(staged, made, output, rules)
    return made


def dump_v1(manifest: V1Manifest) -> bytes:
    """Return ``manifest.json`` as the packers spell it: two spaces, no newline at the end."""
    package: dict[str, Any] = {
        "name": manifest.name,
        "version": manifest.version,
        "description": manifest.description,
        "author": manifest.author,
        "workflow_fingerprint": manifest.workflow_fingerprint,
        "cloacina_version": manifest.cloacina_version,
    }
    document: dict[str, Any] = {
        "package": {key: value for key, value in package.items() if value is not None},
        "library": {
            "filename": manifest.library.filename,
            "symbols": list(manifest.library.symbols),
            "architecture": manifest.library.architecture,
        },
        "tasks": [_task(task) for task in manifest.tasks],
    }
    if manifest.execution_order is not None:
        document["execution_order"] = list(manifest.execution_order)
    document["graph"] = _graph(manifest.tasks)
    return json.dumps(document, indent=2, ensure_ascii=False).encode()


def _task(task: V1Task) -> dict[str, Any]:
    return {
        "index": task.number,
        "id": task.id,
        "dependencies": list(task.dependencies),
        "description": task.description,
        "source_location": task.source_location,
    }


def _graph(tasks: tuple[V1Task, ...]) -> dict[str, Any]:
    """Return the graph that the engines' tools draw, derived from the tasks."""
    needed = {need for task in tasks for need in task.dependencies}
    return {
        "nodes": [{"id": task.id, "data": _node(task)} for task in tasks],
        "edges": [
            {
                "from": need,
                "to": task.id,
                "data": {"dependency_type": "data", "weight": None, "metadata": {}},
            }
            for task in tasks
            for need in task.dependencies
        ],
        "metadata": {
            "task_count": len(tasks),
            "edge_count": sum(len(task.dependencies) for task in tasks),
            "has_cycles": False,
            "depth_levels": _depth(tasks),
            "root_tasks": [task.id for task in tasks if not task.dependencies],
            "leaf_tasks": [task.id for task in tasks if task.id not in needed],
        },
    }


def _node(task: V1Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "name": task.id,
        "description": task.description,
        "source_location": task.source_location,
        "metadata": {},
    }


def _depth(tasks: tuple[V1Task, ...]) -> int:
    """Return how many tasks the longest chain has; ``tasks`` stand in an order of execution."""
    depth: dict[str, int] = {}
    for task in tasks:
        depth[task.id] = 1 + max((depth[need] for need in task.dependencies), default=0)
    return max(depth.values(), default=0)
