"""Archives as any tar makes them: the standard library alone, nothing of the product.

What an engine refuses is shown on these: our own writer refuses it too, and is not asked.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import tarfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAME, VERSION = "trap", "1.0.0"
TOP = f"{NAME}-{VERSION}"
HEADER = """\
[package]
name = "trap"
version = "1.0.0"
interface = "cloacina-workflow-plugin"
interface_version = 1
extension = "cloacina"
"""
# `package_language` is what the compiler of 0.6 reads; every loader takes it.
METADATA = """
[metadata]
language = "python"
workflow_name = "trap"
entry_module = "trap.tasks"
"""
TASKS = """\
import cloaca


@cloaca.task(id="count")
def count(context):
    context.set("count", len(context.get("items", [])))
    return context
"""
FILES = {
    "package.toml": (HEADER + METADATA).encode(),
    "workflow/trap/__init__.py": b"",
    "workflow/trap/tasks.py": TASKS.encode(),
}


def member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """Return one member; ``fields`` replace those of its header."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def tar(
    files: Mapping[str, bytes] = FILES,
    top: str = TOP,
    more: Iterable[tuple[tarfile.TarInfo, bytes]] = (),
) -> bytes:
    """Return a tar with ``files`` below the folder ``top`` and the members ``more`` behind them."""
    prefix = f"{top}/" if top else ""
    members = [member(prefix + name, data) for name, data in sorted(files.items())]
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for info, data in [*members, *more]:
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def package(
    files: Mapping[str, bytes] = FILES,
    top: str = TOP,
    more: Iterable[tuple[tarfile.TarInfo, bytes]] = (),
) -> bytes:
    """Return a package: ``tar`` as one bzip2 stream."""
    return bz2.compress(tar(files, top, more), 9)


def v1_package(name: str, file: str, library: bytes, tasks: Iterable[str]) -> bytes:
    """Return a package of the first generation, as its packer writes it."""
    listed = [
        {"index": index, "id": task, "dependencies": [], "description": f"Task: {task}",
         "source_location": "src/lib.rs"}
        for index, task in enumerate(tasks)
    ]  # fmt: skip
    manifest = {
        "package": {"name": name, "version": "1.0.0", "description": f"Packaged workflow: {name}",
                    "cloacina_version": "0.2.0"},
        "library": {"filename": file, "symbols": ["cloacina_execute_task"],
                    "architecture": "x86_64-unknown-linux-gnu"},
        "tasks": listed,
        "execution_order": [],
    }  # fmt: skip
    about = member("manifest.json", json.dumps(manifest, indent=2).encode())
    return gzip.compress(tar({}, more=[about, member(file, library, mode=0o755)]), mtime=0)
