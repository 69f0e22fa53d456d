"""A native package from parts, each of them replaceable.

Written from the format's text alone; it imports nothing of the product. Whatever a hook
changes, everything that depends on it follows (digests, sizes, the manifest's `contents`, the
index, the signature), so that the attack under test is the only thing wrong. A hook that acts
later in the list below sees, and may break, what the earlier ones made.
"""

from __future__ import annotations

import copy
import hashlib
import struct
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from tests.support import tar_bytes, zstd_bytes
from tests.support.envelopes import SIGNED_AT, canonical, envelope, statement

if TYPE_CHECKING:
    from collections.abc import Callable

FRAME_SIZE = 2097152
Json = dict[str, Any]


class File(NamedTuple):
    """A file of the payload. A name may hold surrogate escapes: they become raw bytes."""

    path: str
    data: bytes = b""
    executable: bool = False

    @property
    def name(self) -> bytes:
        return self.path.encode("utf-8", "surrogateescape")


class Stored(NamedTuple):
    """A compressed frame, the section it belongs to, and what it holds."""

    section: str
    content: bytes
    frame: bytes


class Package(NamedTuple):
    """Everything that was made on the way to a file, and the file."""

    manifest: bytes
    files: bytes
    index: bytes  # type: ignore[assignment]  # a tuple's method has this name too
    block: bytes
    signature_frame: bytes
    head: bytes
    frames: tuple[Stored, ...]
    data: bytes


PACKAGE_TOML = b"""\
[package]
name = "demo"
version = "1.0.0"
interface = "cloacina-workflow"
interface_version = 1

[metadata]
workflow_name = "demo"
language = "python"
entry_module = "demo.tasks"
"""
RAN = "the code of the package ran"
TASKS_PY = b"""\
import cloaca


@cloaca.task(id="extract")
def extract(context):
    return context


@cloaca.task(id="load", dependencies=["extract"])
def load(context):
    return context


print("%s")
""" % RAN.encode()
FILES = (
    File("package.toml", PACKAGE_TOML),
    File("workflow/demo/__init__.py"),
    File("workflow/demo/tasks.py", TASKS_PY),
)


def plain_manifest() -> Json:
    """Return the manifest of a small Python package, without what the recipe adds."""
    return {
        "entry_module": "demo.tasks",
        "language": "python",
        "workflows": [
            {
                "name": "demo",
                "tasks": [
                    {"dependencies": [], "id": "extract"},
                    {"dependencies": ["extract"], "id": "load"},
                ],
            }
        ],
    }


@dataclass(kw_only=True)
class Recipe:
    """What to build, and what to break, in the order in which it happens."""

    name: str = "demo"
    version: str = "1.0.0"
    root: str | None = None
    files: tuple[File, ...] = FILES
    manifest: Json = field(default_factory=plain_manifest)
    sort: bool = True
    level: int = 3
    frame_size: int = FRAME_SIZE

    files_patch: Callable[[Json], Any] | None = None
    files_bytes: Callable[[bytes], bytes] | None = None
    manifest_patch: Callable[[Json], Any] | None = None
    manifest_bytes: Callable[[bytes], bytes] | None = None

    header_patch: Callable[[File, bytes], bytes] | None = None
    member_patch: Callable[[File, bytes], bytes] | None = None
    section_patch: Callable[[str, bytes], bytes] | None = None
    end: bytes = tar_bytes.END
    frame_patch: Callable[[Stored], bytes] | None = None
    frames_patch: Callable[[list[Stored]], list[Stored]] | None = None
    index_patch: Callable[[Json], Any] | None = None
    index_bytes: Callable[[bytes], bytes] | None = None
    stored_patch: Callable[[list[Stored]], list[Stored]] | None = None
    withheld: tuple[str, ...] = ()

    head_members: Callable[[list[File]], list[File]] | None = None
    head_header_patch: Callable[[File, bytes], bytes] | None = None
    head_patch: Callable[[bytes], bytes] | None = None
    head_frame: Callable[[bytes], bytes] | None = None

    signers: tuple[bytes, ...] = ()
    statement_patch: Callable[[Json], Any] | None = None
    envelopes_patch: Callable[[list[Any]], Any] | None = None
    block_patch: Callable[[Json], Any] | None = None
    block_json: Callable[[bytes], bytes] | None = None
    format_version: int = 3
    flags: int = 0
    head_size: int | None = None
    block_bytes: Callable[[bytes], bytes] | None = None
    signature_frame: Callable[[bytes], bytes] | None = None
    parts_patch: Callable[[list[bytes]], list[bytes]] | None = None

    @property
    def stem(self) -> str:
        """Return `<root>`."""
        return f"{self.name}-{self.version}" if self.root is None else self.root

    @property
    def stem_bytes(self) -> bytes:
        return self.stem.encode("utf-8", "surrogateescape")

    def but(self, **changes: Any) -> Recipe:
        """Return the recipe with some of its parts replaced."""
        return replace(self, **changes)


def _hook(hook: Callable[..., Any] | None, *arguments: Any) -> Any:
    """Apply a hook to the last argument; a hook that returns None changed it in place."""
    if hook is None:
        return arguments[-1]
    answer = hook(*arguments)
    return arguments[-1] if answer is None else answer


def section_of(path: str) -> str:
    """Return the section that a path belongs to."""
    parts = path.split("/")
    if parts[0] == "source" and len(parts) > 1:
        return "source"
    if parts[0] == "platform" and len(parts) > 2:
        return parts[1]
    return "common"


def _rank(file: File) -> tuple[int, bytes, bytes]:
    section = section_of(file.path)
    order = {"common": 0, "source": 1}.get(section, 2)
    return order, section.encode("utf-8", "surrogateescape"), file.name


def ordered(recipe: Recipe) -> list[File]:
    """Return the files in the order of the stream."""
    return sorted(recipe.files, key=_rank) if recipe.sort else list(recipe.files)


def files_entry(file: File) -> Json:
    """Return the entry of `files.json`."""
    digest = hashlib.sha256(file.data).hexdigest()
    entry: Json = {"path": file.path, "sha256": digest, "size": len(file.data)}
    return {"executable": True, **entry} if file.executable else entry


def files_json(recipe: Recipe) -> bytes:
    """Return `files.json`."""
    table = {"files": [files_entry(file) for file in ordered(recipe)]}
    made = canonical(_hook(recipe.files_patch, table))
    return bytes(_hook(recipe.files_bytes, made))


def manifest_json(recipe: Recipe, files: bytes) -> bytes:
    """Return `manifest.json`, with name, version, format version and contents filled in."""
    manifest = {**copy.deepcopy(recipe.manifest), "format_version": 3}
    about = {"name": recipe.name, "version": recipe.version}
    manifest["package"] = {**manifest.get("package", {}), **about}
    manifest["contents"] = {
        "files": len(recipe.files),
        "sha256": hashlib.sha256(files).hexdigest(),
        "size": sum(len(file.data) for file in recipe.files),
    }
    made = canonical(_hook(recipe.manifest_patch, manifest))
    return bytes(_hook(recipe.manifest_bytes, made))


def _member(recipe: Recipe, file: File) -> bytes:
    extension, header, body = tar_bytes.member(
        recipe.stem_bytes, file.name, file.data, executable=file.executable
    )
    made = extension + _hook(recipe.header_patch, file, header) + body
    return bytes(_hook(recipe.member_patch, file, made))


def payload(recipe: Recipe) -> list[Stored]:
    """Return the payload frames that the index will describe."""
    streams: dict[str, list[bytes]] = {}
    for file in ordered(recipe):
        streams.setdefault(section_of(file.path), []).append(_member(recipe, file))
    frames = []
    for section, members in [*streams.items(), ("end", [recipe.end])]:
        stream = bytes(_hook(recipe.section_patch, section, b"".join(members)))
        for at in range(0, len(stream), recipe.frame_size):
            content = stream[at : at + recipe.frame_size]
            stored = Stored(section, content, zstd_bytes.frame(content, recipe.level))
            if recipe.frame_patch:
                stored = stored._replace(frame=recipe.frame_patch(stored))
            frames.append(stored)
    return list(_hook(recipe.frames_patch, frames))


def index_json(recipe: Recipe, frames: list[Stored]) -> bytes:
    """Return `index.json` of these frames."""
    entries = [
        {
            "content_size": len(stored.content),
            "section": stored.section,
            "sha256": hashlib.sha256(stored.frame).hexdigest(),
            "size": len(stored.frame),
        }
        for stored in frames
    ]
    tool = {"name": "cloacina-ctl", "version": "0.1.0"}
    index = {"frame_size": recipe.frame_size, "frames": entries, "tool": tool}
    made = canonical(_hook(recipe.index_patch, index))
    return bytes(_hook(recipe.index_bytes, made))


def head_tar(recipe: Recipe, manifest: bytes, files: bytes, index: bytes) -> bytes:
    """Return the tar members of the head, without an end."""
    members = [
        File("manifest.json", manifest),
        File("files.json", files),
        File("index.json", index),
    ]
    made = b""
    for file in _hook(recipe.head_members, members):
        extension, header, body = tar_bytes.member(recipe.stem_bytes, file.name, file.data)
        made += extension + _hook(recipe.head_header_patch, file, header) + body
    return bytes(_hook(recipe.head_patch, made))


def package_envelope(recipe: Recipe, seed: bytes, manifest: bytes, head: bytes) -> Json:
    """Return the envelope “I sign this package”."""
    predicate = {
        "content": "sha256:" + hashlib.sha256(manifest).hexdigest(),
        "name": recipe.name,
        "signed_at": SIGNED_AT,
        "version": recipe.version,
    }
    digest = hashlib.sha256(head).hexdigest()
    made = statement(root=recipe.stem, head_sha256=digest, predicate=predicate)
    return envelope(seed, canonical(_hook(recipe.statement_patch, made)))


def signature_block(recipe: Recipe, manifest: bytes, head: bytes) -> bytes:
    """Return the signature block."""
    signed = [package_envelope(recipe, seed, manifest, head) for seed in recipe.signers]
    envelopes = _hook(recipe.envelopes_patch, signed)
    fields = {"envelopes": envelopes, "withheld": list(recipe.withheld)}
    text = _hook(recipe.block_json, canonical(_hook(recipe.block_patch, fields)))
    size = len(head) if recipe.head_size is None else recipe.head_size
    lead = b"cloacina" + struct.pack("<HHI", recipe.format_version, recipe.flags, size)
    return bytes(_hook(recipe.block_bytes, lead + text))


def make(recipe: Recipe) -> Package:
    """Return the package of a recipe and all its parts."""
    files = files_json(recipe)
    manifest = manifest_json(recipe, files)
    frames = payload(recipe)
    index = index_json(recipe, frames)
    stored = list(_hook(recipe.stored_patch, frames))
    stored = [frame for frame in stored if frame.section not in recipe.withheld]
    content = head_tar(recipe, manifest, files, index)
    head = recipe.head_frame(content) if recipe.head_frame else zstd_bytes.frame(content)
    block = signature_block(recipe, manifest, head)
    outer = bytes(_hook(recipe.signature_frame, zstd_bytes.skippable(block)))
    parts = [outer, head, *(frame.frame for frame in stored)]
    data = b"".join(_hook(recipe.parts_patch, parts))
    return Package(manifest, files, index, block, outer, head, tuple(stored), data)


def build(recipe: Recipe | None = None, **changes: Any) -> bytes:
    """Return the bytes of a package: the plain one, or the recipe's, with changes."""
    return make((recipe or Recipe()).but(**changes)).data
