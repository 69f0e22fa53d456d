"""The module stands alone: the standard library, and not much of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import cloacina_ctl
from cloacina_ctl import manifest
from cloacina_ctl.manifest import canonical
from tests.support.manifests import rust

if TYPE_CHECKING:
    import pathlib

PACKAGE = os.path.dirname(cloacina_ctl.__file__)
HEAVY = (
    "argparse", "ast", "asyncio", "copy", "dataclasses", "datetime", "email", "importlib.metadata",
    "inspect", "logging", "pathlib", "random", "shutil", "socket", "ssl", "subprocess", "tempfile",
    "textwrap", "threading", "tokenize", "traceback", "typing_extensions", "unicodedata", "urllib",
    "zipfile", "packaging", "cryptography", "zstandard", "rich", "typer",
)  # fmt: skip
READ = "from cloacina_ctl.manifest import parse, dump, json_schema; json_schema(); m = parse(D)"


def _run(root: str, code: str, data: bytes) -> str:
    code = f"import sys; D = sys.stdin.buffer.read(); sys.path.insert(0, {root!r}); {code}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], input=data, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_reads_a_manifest_where_nothing_else_is_installed(tmp_path: pathlib.Path) -> None:
    root = tmp_path / "site"
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, root / "cloacina_ctl", ignore=ignore)
    data = canonical.encode(rust())
    code = READ + "; assert dump(m) == D; print(m.package.name, len(m.workflows[0].tasks))"
    assert _run(str(root), code, data) == "demo 2\n"


def test_loads_no_heavy_module() -> None:
    code = READ + f"; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert _run(os.path.dirname(PACKAGE), code, canonical.encode(rust())) == "[]\n"


def test_importing_it_alone_loads_next_to_nothing() -> None:
    code = (
        "import cloacina_ctl.manifest;"
        "print([name for name in sys.modules if name.startswith('cloacina_ctl.')])"
    )
    assert _run(os.path.dirname(PACKAGE), code, b"") == "['cloacina_ctl.manifest']\n"


def test_every_public_name_is_there() -> None:
    for name in manifest.__all__:
        assert getattr(manifest, name).__doc__
    assert set(manifest.__all__) >= {"Manifest", "ManifestError", "parse", "dump", "json_schema"}
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        manifest.nothing  # noqa: B018
