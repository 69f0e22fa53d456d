"""Packages for the tests of the archive: made from a dictionary of files, without a project."""

from __future__ import annotations

from pathlib import Path

from cloacina_ctl.formats.file_index import Tool
from cloacina_ctl.formats.native.signature_block import SignatureBlock
from cloacina_ctl.formats.native.writer import PackageWriter, WriteOptions
from cloacina_ctl.formats.plan import Plan, PlannedFile, make_plan
from cloacina_ctl.manifest import Contents, Language, Manifest, PackageInfo, Task, Workflow
from cloacina_ctl.paths import MemberPath

TOOL = Tool("tests", "1.0")
FILES = {
    "package.toml": b"[package]\n",
    "workflow/demo/__init__.py": b"",
    "workflow/demo/tasks.py": b"import cloaca\n",
    "workflow/demo/data.bin": bytes(range(256)) * 40,
}


def manifest(name: str = "demo", version: str = "1.0") -> Manifest:
    return Manifest(
        format_version=3,
        package=PackageInfo(name=name, version=version),
        language=Language.PYTHON,
        contents=Contents(files=1, sha256="0" * 64, size=0),
        entry_module="demo.tasks",
        workflows=(Workflow(name="demo", tasks=(Task(id="load"),)),),
    )


def planned(files: dict[str, bytes], executable: tuple[str, ...] = ()) -> Plan:
    return make_plan(
        "demo-1.0",
        [
            PlannedFile(MemberPath.parse(path), data, len(data), path in executable, "a test")
            for path, data in files.items()
        ],
    )


def write(
    path: Path,
    plan: Plan,
    *,
    options: WriteOptions = WriteOptions(),
    block: SignatureBlock = SignatureBlock(),
    replace: bool = False,
) -> Path:
    with PackageWriter(str(path), replace=replace, options=options) as writer:
        written = writer.write_payload(plan)
        writer.write_head(manifest()._replace(contents=written.contents), written, TOOL)
        writer.commit(block)
    return path


def make(path: Path, files: dict[str, bytes] = FILES, **choices: object) -> Path:
    return write(path, planned(files), **choices)  # type: ignore[arg-type]
