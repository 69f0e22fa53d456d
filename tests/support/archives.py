"""Packages of other generations from bytes, each part of them replaceable.

Written from the formats' own rules; the tar headers are those of `tests.support.tar_bytes`, in the
dialect that a packer has. What makes them uses neither `tarfile` nor `gzip` nor the product.
"""

from __future__ import annotations

import bz2 as bzip2
import json
import struct
import tarfile
import zlib
from typing import TYPE_CHECKING, Any

from tests.support import tar_bytes
from tests.support.builder import TASKS_PY

if TYPE_CHECKING:
    from pathlib import Path

GNU = {"magic": b"ustar ", "version": b" \0"}
END = tar_bytes.END
ROOT = "demo-1.0.0"
PACKAGE_TOML = b"""\
[package]
name = "demo"
version = "1.0.0"
interface = "cloacina-workflow-plugin"
interface_version = 1
extension = "cloacina"

[metadata]
language = "python"
workflow_name = "demo"
description = "Counts what comes in"
author = "Ada"
requires_python = ">=3.10"
entry_module = "demo.tasks"
"""
SOURCE = {
    "package.toml": PACKAGE_TOML,
    "workflow/demo/__init__.py": b"",
    "workflow/demo/tasks.py": TASKS_PY,
}


def entry(name: bytes | str, data: bytes = b"", *, gnu: bool = True, **raw: bytes) -> bytes:
    """Return one file of a tar stream: header, body, padding; `raw` replaces header fields."""
    name = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name
    fields = {**(GNU if gnu else {}), **raw}
    made = tar_bytes.patched(tar_bytes.header(name, len(data)), **fields)
    return made + tar_bytes.padded(data)


def folder(name: str, *, gnu: bool = True, **raw: Any) -> bytes:
    """Return one folder of a tar stream."""
    return entry(name + "/", gnu=gnu, typeflag=b"5", **raw)


def long_name(name: bytes, **raw: Any) -> bytes:
    """Return the GNU header that gives the next member a long name."""
    return entry(b"././@LongLink", name + b"\0", **{"typeflag": b"L", **raw})


def pax(records: bytes, **raw: Any) -> bytes:
    """Return a pax header with these records."""
    return entry(b"PaxHeaders/x", records, gnu=False, **{"typeflag": b"x", **raw})


def record(key: str, value: bytes | str) -> bytes:
    """Return one pax record."""
    value = value.encode() if isinstance(value, str) else value
    return tar_bytes.pax_record(key.encode(), value)


def source_tar(files: dict[str, bytes] | None = None, root: str = ROOT) -> bytes:
    """Return the tar of a source package."""
    files = SOURCE if files is None else files
    return b"".join(entry(f"{root}/{path}", data) for path, data in files.items()) + END


def bz2(data: bytes) -> bytes:
    """Return one bzip2 stream."""
    return bzip2.compress(data)


def gz(data: bytes, *, flags: int = 0, fields: bytes = b"", method: int = 8) -> bytes:
    """Return one gzip member, with optional header fields that `flags` announce."""
    start = struct.pack("<2sBBIBB", b"\x1f\x8b", method, flags, 0, 0, 255)
    deflate = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    return start + fields + body + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)


def v1_manifest(**changes: Any) -> dict[str, Any]:
    """Return the manifest that 0.2.0 writes for the library of `library`."""
    tasks = [
        {
            "index": number,
            "id": name,
            "dependencies": needs,
            "description": f"Task: {name}",
            "source_location": "src/demo.rs",
        }
        for number, (name, needs) in enumerate({"load": ["extract"], "extract": []}.items())
    ]
    made = {
        "package": {
            "name": "demo",
            "version": "1.0.0",
            "description": "Packaged workflow: demo",
            "cloacina_version": "0.2.0",
        },
        "library": {
            "filename": "libdemo.so",
            "symbols": ["cloacina_execute_task"],
            "architecture": "x86_64-unknown-linux-gnu",
        },
        "tasks": tasks,
        "execution_order": [],
    }
    return {**made, **changes}


def pretty(value: object) -> bytes:
    """Return JSON as the packers write it."""
    return json.dumps(value, indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass")


def v1_tar(manifest: dict[str, Any] | bytes | None = None, library: bytes = b"\x7fELF") -> bytes:
    """Return the tar of a package of 0.2.0, its headers as that release writes them."""
    text = manifest if isinstance(manifest, bytes) else pretty(manifest or v1_manifest())
    blank: dict[str, Any] = {"typeflag": b"\0", "mode": b"", "uid": b"", "gid": b""}
    return entry("manifest.json", text, **blank) + entry("libdemo.so", library) + END


def v2_manifest(**changes: Any) -> dict[str, Any]:
    """Return a Python manifest with `format_version` 2."""
    made = {
        "format_version": "2",
        "package": {
            "name": "demo",
            "version": "1.0.0",
            "description": "Counts what comes in",
            "fingerprint": "sha256:" + "0" * 64,
            "targets": ["linux-x86_64"],
        },
        "language": "python",
        "python": {"requires_python": ">=3.10", "entry_module": "demo.tasks"},
        "tasks": [
            {"id": "extract", "function": "demo.tasks:extract"},
            {"id": "load", "function": "demo.tasks:load", "dependencies": ["extract"]},
        ],
        "created_at": "2026-02-07T00:00:00Z",
    }
    return {**made, **changes}


def v2_tar(manifest: dict[str, Any] | None = None) -> bytes:
    """Return the tar of a Python package with such a manifest."""
    code = {path: data for path, data in SOURCE.items() if path != "package.toml"}
    files = {"manifest.json": pretty(manifest or v2_manifest()), **code}
    return b"".join(entry(path, data) for path, data in files.items()) + END


def members(path: Path) -> dict[str, bytes]:
    """Return the files of a legacy package by their paths in its top folder, as `tarfile` does."""
    with tarfile.open(path) as archive:
        found = ((one.name.partition("/")[2], archive.extractfile(one)) for one in archive)
        return {name: data.read() for name, data in found if data is not None}
