"""Native packages around the small libraries of these tests, with a manifest that may lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.formats.file_index import Tool
from cloacina_ctl.formats.layout import library_path
from cloacina_ctl.formats.native.signature_block import SignatureBlock
from cloacina_ctl.formats.native.writer import PackageWriter
from cloacina_ctl.formats.plan import PlannedFile, make_plan
from cloacina_ctl.manifest.model import (
    Contents,
    Language,
    Manifest,
    PackageInfo,
    Task,
    Workflow,
)
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.platforms import artifact_of, read_library

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cloacina_ctl.manifest.model import Artifact

AFTER, ECHO, SLEEP = Task(id="after", dependencies=("echo",)), Task(id="echo"), Task(id="sleep")
TASKS = (AFTER, ECHO, SLEEP)
FLOW = Workflow(name="flow", tasks=TASKS, fingerprint="00ff")


def pack(
    path: Path, library: Path, *, workflows: tuple[Workflow, ...] = (FLOW,),
    change: Callable[[Artifact], Artifact] = lambda artifact: artifact, tag: str | None = None,
) -> Path:  # fmt: skip
    """Write a package with this library at ``path``; ``change`` may misstate the artifact."""
    found = read_library(library)
    tag = tag or found.tag
    member = library_path(tag, library.name)
    artifact = change(artifact_of(found, path=member)._replace(platform=tag))
    planned = PlannedFile(
        MemberPath.parse(member), str(library), library.stat().st_size, False, "a test"
    )
    with PackageWriter(str(path)) as writer:
        written = writer.write_payload(make_plan("pack-1.0.0", [planned]))
        manifest = Manifest(
            format_version=3,
            package=PackageInfo(name="pack", version="1.0.0"),
            language=Language.RUST,
            contents=written.contents,
            workflows=workflows,
            artifacts=(artifact,),
        )
        assert isinstance(written.contents, Contents)
        writer.write_head(manifest, written, Tool("tests", "1"))
        writer.commit(SignatureBlock())
    return path
