"""Wheels made by hand: right ones, and ones that no builder makes."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import stat
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

PURE = "py3-none-any"
EARLY = (1980, 1, 1, 0, 0, 0)


def file_name(name: str, version: str = "1.0", tag: str = PURE) -> str:
    return f"{re.sub(r'[-_.]+', '_', name)}-{version}-{tag}.whl"


def row(path: str, data: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={digest},{len(data)}"


def metadata(
    name: str, version: str, requires: Iterable[str] = (), python: str | None = None
) -> bytes:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    extras = re.findall(r"extra *== *[\"']([^\"']+)", "\n".join(requires := list(requires)))
    lines += [f"Provides-Extra: {one}" for one in sorted(set(extras))]
    lines += [f"Requires-Dist: {one}" for one in requires]
    lines += [f"Requires-Python: {python}"] if python else []
    lines += ["License-File: LICENSE", "", "About it."]
    return "\n".join(lines).encode()


def members(
    name: str,
    files: Mapping[str, str | bytes] | None = None,
    *,
    version: str = "1.0",
    tag: str = PURE,
    requires: Iterable[str] = (),
    python: str | None = None,
) -> dict[str, bytes]:
    """Return the members of a wheel, its RECORD last."""
    module = re.sub(r"[-_.]+", "_", name)
    info = f"{module}-{version}.dist-info"
    found: dict[str, bytes] = {
        path: data.encode() if isinstance(data, str) else data
        for path, data in (files or {f"{module}/__init__.py": f"NAME = {name!r}\n"}).items()
    }
    found[f"{info}/METADATA"] = metadata(name, version, requires, python)
    found[f"{info}/WHEEL"] = f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode()
    found[f"{info}/LICENSE"] = b"Do what you like.\n"
    rows = [row(path, data) for path, data in found.items()]
    found[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    return found


def zipped(found: Mapping[str, bytes], modes: Mapping[str, int] | None = None) -> bytes:
    """Return a zip file with these members; ``modes`` are Unix modes, type included."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in found.items():
            info = zipfile.ZipInfo(path, EARLY)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = ((modes or {}).get(path, stat.S_IFREG | 0o644)) << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def wheel(
    folder: Path,
    name: str,
    files: Mapping[str, str | bytes] | None = None,
    *,
    version: str = "1.0",
    tag: str = PURE,
    requires: Iterable[str] = (),
    python: str | None = None,
) -> Path:
    """Write a wheel into ``folder``."""
    folder.mkdir(exist_ok=True, parents=True)
    path = folder / file_name(name, version, tag)
    found = members(name, files, version=version, tag=tag, requires=requires, python=python)
    path.write_bytes(zipped(found))
    return path
