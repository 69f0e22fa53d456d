"""Small real libraries, compiled once a run, and sessions with them."""

from __future__ import annotations

import subprocess
import tempfile
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cloacina_ctl.runtime.loading import load
from cloacina_ctl.runtime.process.child import HostLimits, HostOptions
from cloacina_ctl.runtime.session import Preparation
from tests.support.machine import need

if TYPE_CHECKING:
    from cloacina_ctl.runtime.session import Session

SOURCES = Path(__file__).parent / "native"


@lru_cache(maxsize=1)
def _folder() -> tuple[tempfile.TemporaryDirectory[str], Path]:
    folder = tempfile.TemporaryDirectory(prefix="cloacina-ctl-plugins-")
    return folder, Path(folder.name)


@cache
def build(source: str, *defines: str) -> Path:
    """Return the library of a source with these macros."""
    compiler = need("cc")
    name = "-".join([source, *defines]).replace("=", "_") + ".so"
    library = _folder()[1] / name
    flags = ["-shared", "-fPIC", "-D_GNU_SOURCE", "-O1", "-w", *(f"-D{one}" for one in defines)]
    subprocess.run([compiler, *flags, "-o", str(library), str(SOURCES / f"{source}.c")], check=True)
    return library


def plugin(abi: int = 500, **macros: object) -> Path:
    """Return a fidius plugin."""
    return build("plugin", f"ABI={abi}", *(f"{key}={value}" for key, value in macros.items()))


def raw(release: int = 3, **macros: object) -> Path:
    """Return a library of the C interface."""
    return build("raw", f"RELEASE={release}", *(f"{key}={value}" for key, value in macros.items()))


def session_of(
    library: Path, layout: str | None = None, options: HostOptions = HostOptions(), **limits: Any
) -> Session:
    """Return a session of a library; ``limits`` change those of ``options``."""
    with Preparation(str(library), options._replace(limits=HostLimits(**limits))) as ready:
        ready.material.take_library([library.read_bytes()], layout)
        return load(ready)
