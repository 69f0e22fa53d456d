"""A wheel with only metadata: it describes a project to a resolver without building it.

It never gets into a package. It replaces a name that must not be looked up in any index.
"""

from __future__ import annotations

import base64
import hashlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.formats.wheel.zip_reader import write_wheel_zip

if TYPE_CHECKING:
    from collections.abc import Iterable

_WHEEL = "Wheel-Version: 1.0\nGenerator: cloacina-ctl\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write_stub_wheel(
    folder: str, name: str, version: str, requires: Iterable[str], extras: Iterable[str]
) -> str:
    """Write the wheel into ``folder`` and return its path; nothing can be imported from it.

    ``name`` and ``version`` are in their normal forms.
    """
    stem = f"{name.replace('-', '_')}-{version.replace('-', '_')}"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Provides-Extra: {one}" for one in extras]
    lines += [f"Requires-Dist: {one}" for one in requires]
    members = {
        f"{stem}.dist-info/METADATA": "\n".join([*lines, ""]),
        f"{stem}.dist-info/WHEEL": _WHEEL,
    }
    record = [
        f"{path},sha256={_digest(text)},{len(text.encode())}" for path, text in members.items()
    ]
    own = f"{stem}.dist-info/RECORD"
    members[own] = "\n".join([*record, f"{own},,", ""])
    path = os.path.join(folder, f"{stem}-py3-none-any.whl")
    write_wheel_zip(path, members)
    return path


def _digest(text: str) -> str:
    raw = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
