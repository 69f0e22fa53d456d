"""The data sets: generated or fetched through pip, cached in a folder, nothing committed."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile

WHEELS = ("numpy", "pandas", "scipy", "pyarrow", "scikit-learn")
_TASKS = '''\
import cloaca


@cloaca.task(id="load")
def load(context):
    """Read the day's records."""
    context.set("records", [1, 2, 3])
    return context


@cloaca.task(id="total", dependencies=["load"])
def total(context):
    context.set("total", sum(context.get("records")))
    return context
'''


def _project(folder: str, name: str) -> str:
    package = os.path.join(folder, name)
    os.makedirs(package, exist_ok=True)
    with open(os.path.join(folder, "pyproject.toml"), "w") as file:
        file.write(
            f'[project]\nname = "{name}"\nversion = "1.0"\n\n'
            f'[tool.cloacina]\nentry_module = "{name}.tasks"\n'
        )
    for number in range(4):
        with open(os.path.join(package, f"part_{number}.py"), "w") as file:
            file.write("".join(f"VALUE_{line} = {line * number}\n" for line in range(200)))
    with open(os.path.join(package, "__init__.py"), "w") as file:
        file.write('"""A project to time packing with."""\n')
    with open(os.path.join(package, "tasks.py"), "w") as file:
        file.write(_TASKS)
    return package


def small(folder: str) -> str:
    """Set A: a few sources and one library of about 3 MB."""
    if not os.path.isdir(folder):
        package = _project(folder, "bench_small")
        with open(_library(), "rb") as source, open(os.path.join(package, "native.so"), "wb") as to:
            to.write(source.read()[: 3 << 20])
    return folder


def vendored(folder: str) -> str:
    """Set B: some sources and the unpacked wheels of large packages under ``vendor/``."""
    vendor = os.path.join(folder, "vendor")
    if not os.path.isdir(vendor):
        _project(folder, "bench_vendored")
        wheels = folder + "-wheels"
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--only-binary=:all:",
                "--no-deps",
                "--dest",
                wheels,
                *WHEELS,
            ],
            check=True,
        )
        for wheel in sorted(os.listdir(wheels)):
            with zipfile.ZipFile(os.path.join(wheels, wheel)) as archive:
                archive.extractall(vendor)
    return folder


def grown(folder: str, copies: int) -> str:
    """Return a project like A with ``copies`` of its library: for what must not depend on size."""
    if not os.path.isdir(folder):
        package = _project(folder, "bench_grown")
        with open(_library(), "rb") as source:
            data = source.read()[: 3 << 20]
        for number in range(copies):
            with open(os.path.join(package, f"native_{number}.so"), "wb") as file:
                file.write(data)
    return folder


def measure(folder: str) -> tuple[int, int]:
    """Return how many files lie under ``folder`` and how many bytes they have."""
    files = [os.path.join(base, name) for base, _, names in os.walk(folder) for name in names]
    return len(files), sum(os.path.getsize(path) for path in files)


def _library() -> str:
    import _ssl
    import sqlite3

    import cryptography.hazmat.bindings._rust as rust

    candidates = [rust.__file__, getattr(_ssl, "__file__", ""), sqlite3.__file__]
    return max((path for path in candidates if path), key=os.path.getsize)
