"""From a native package to the legacy formats, without unpacking anything."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.checks.releases import facts_of_source
from cloacina_ctl.digest import CONTENT_PREFIX
from cloacina_ctl.errors import Code, Diagnostic, Incompatible, Refused, refuse_errors
from cloacina_ctl.files.staging import reported, scratch_folder, unnamed_file, write_all
from cloacina_ctl.formats import layout
from cloacina_ctl.formats.legacy.write_source import (
    Destination,
    check_paths,
    source_order,
    write_source,
)
from cloacina_ctl.formats.sinks import MemorySink
from cloacina_ctl.formats.threads import default_jobs
from cloacina_ctl.manifest.model import Language
from cloacina_ctl.operations.conversion.losses import losses_of_native
from cloacina_ctl.operations.conversion.request import Converted, allow_losses
from cloacina_ctl.operations.packaging.source import default_release, refuse_broken, size_rules
from cloacina_ctl.operations.packaging.target import NATIVE, SOURCE, V1
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.project.package_toml import header_of_manifest, resolve, resolved_tables
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.formats.legacy.tar_writer import Feed, TarStream
    from cloacina_ctl.formats.legacy.write_source import WrittenArchive
    from cloacina_ctl.formats.native.reader import NativePackage
    from cloacina_ctl.operations.conversion.request import ConvertRequest
    from cloacina_ctl.project.model import RustFacts
    from cloacina_ctl.verification.verify import Proof

CARGO_TOML = "Cargo.toml"
_RUN_BYTES = 16 << 20  # after which progress is reported
_MAX_TEXT = 1 << 20  # what a manifest may have, TOML's own bound


class ConvertedMember(NamedTuple):
    """A file of the result: one of the package under another path, or bytes made here."""

    path: MemberPath
    size: int
    executable: bool
    entry: FileEntry | None = None
    data: bytes = b""


def convert_native(proof: Proof, request: ConvertRequest, progress: Progress | None) -> Converted:
    """Convert the native package as ``request`` says; raises what ``convert`` does."""
    package = proof.require_native()
    evidence = proof.stream(progress=stage(progress, "verifying"))
    _refuse_other_release(package, request)
    form = request.target.format
    if form == SOURCE:
        losses, written = _to_source(package, request, progress)
    else:
        losses, written = _to_v1(package, request, progress)
    runtime = request.target.runtime
    return Converted(
        path=request.output,
        format=form,
        size=written.size,
        content=CONTENT_PREFIX + written.digest,
        files=len(written.files),
        source_format=NATIVE,
        source_content=package.head.content,
        losses=losses,
        trusted_signers=evidence.trusted_signers,
        padding=written.padding,
        runtime=runtime.name if runtime is not None else None,
    )


def _refuse_other_release(package: NativePackage, request: ConvertRequest) -> None:
    """Refuse a runtime that the package says it does not run in; nothing excuses that."""
    requires, runtime = package.head.manifest.requires, request.target.runtime
    release = requires.cloacina if requires is not None else None
    if release is None or runtime is None:
        return
    from cloacina_ctl.releases.ranges import takes_release

    if not takes_release(release, runtime):
        raise Incompatible.of(
            Code.OTHER_RELEASE,
            f"the package says that it needs Cloacina {release}, and this is for {runtime.name}",
            where=package.path,
            hint="choose a release that it names, or widen `requires_cloacina` and pack it again",
        )


def _to_source(
    package: NativePackage, request: ConvertRequest, progress: Progress | None
) -> tuple[tuple[str, ...], WrittenArchive]:
    manifest = package.head.manifest
    files = _moved(package)
    text = _read(package, layout.PACKAGE_TOML)
    rust = _rust(package)
    release = request.target.runtime or default_release(rust.crate if rust is not None else None)
    header = header_of_manifest(manifest)
    tables = resolved_tables(header, text, release)
    refuse_broken(release, facts_of_source(manifest.language.value, tables, rust=rust))
    losses = allow_losses(_losses(package, request), request)
    provenance = f"{NATIVE} {package.head.content}"
    data = resolve(header, text, release, provenance)
    path = MemberPath(layout.PACKAGE_TOML)
    files[path] = ConvertedMember(path, len(data), False, None, data)
    members = sorted(files.values(), key=lambda member: source_order(member.path))
    rules = size_rules(release, SOURCE, package.head.root)
    check_paths(package.head.root, files)
    rules.check(len(members), sum(member.size for member in members), None)
    feed = _feed(package, members, stage(progress, "converting"))
    output = Destination(request.output, request.overwrite)
    return losses, write_source(output, package.head.root, feed, rules, pad=request.pad)


def _losses(package: NativePackage, request: ConvertRequest) -> Iterator[str]:
    return losses_of_native(package, request.target.format, delivered=request.delivered)


def _moved(package: NativePackage) -> dict[MemberPath, ConvertedMember]:
    """Return the files by the path that they get; vendored ones of a platform have no place.

    What else is for the one platform there is lies beside the files for every one.
    """
    files = {}
    manifest = package.head.manifest
    together = manifest.language is Language.PYTHON and len(manifest.artifacts) == 1
    for entry in package.head.files:
        moved = layout.place_on_platform(entry.path)
        if moved == entry.path and layout.section_of(moved) not in (layout.COMMON, layout.SOURCE):
            continue
        if moved != entry.path and not together:
            continue
        path = MemberPath(moved.removeprefix(layout.SOURCE_FOLDER))
        files[path] = ConvertedMember(path, entry.size, entry.executable, entry)
    if package.head.manifest.language.value == "rust" and CARGO_TOML not in files:
        raise Incompatible.of(
            Code.NOT_FOR_RUNTIME,
            "it holds a library and not the source of the crate, which runtimes from 0.4 on build",
            where=package.path,
            hint="package the crate again with --include-source, or with --format source",
        )
    return files


def _rust(package: NativePackage) -> RustFacts | None:
    """Return what the files of the crate say; None for a Python package.

    Raises ``Refused`` where the source cannot be built elsewhere.
    """
    if package.head.manifest.language.value != "rust":
        return None
    from cloacina_ctl.checks.rust.crate_source import RULES
    from cloacina_ctl.operations.packaging.packed_crate import crate_in, crate_members

    memory = MemorySink()
    package.stream(memory, crate_members(package.head))
    found = crate_in(package.head, memory.files)
    if found is None or found.rust is None or found.source is None:
        problems = found.problems if found is not None else ()
        raise Refused(
            *(Diagnostic(Code.RUST_SYNTAX, one.message, one.place) for one in problems),
            Diagnostic(Code.RUST_SYNTAX, "its Cargo.toml cannot be read", package.path),
        )
    refuse_errors(RULES.run(found.source))
    return found.rust


def _read(package: NativePackage, path: str) -> bytes | None:
    """Return the bytes of one small file of the package, None where it is not there."""
    entry = next((file for file in package.head.files if file.path == path), None)
    if entry is None:
        return None
    if entry.size > _MAX_TEXT:
        raise Refused.of(Code.BAD_TOML, f"not TOML: more than {_MAX_TEXT} bytes", where=path)
    memory = MemorySink()
    package.stream(memory, (entry,))
    return memory.files[path]


def _feed(
    package: NativePackage,
    members: list[ConvertedMember],
    progress: Callable[[int, int], None] | None,
) -> Feed:
    """Return what gives the members to a stream, drawing the package's files in their order."""
    total = sum(member.size for member in members)

    def feed(stream: TarStream) -> None:
        done = 0
        for run in _runs(package, members):
            if run[0].entry is None:
                _give(run[0], stream)
            else:
                entries = tuple(member.entry for member in run if member.entry is not None)
                package.stream(_Renaming(stream, run), entries, jobs=default_jobs())
            done += sum(member.size for member in run)
            if progress:
                progress(done, total)

    return feed


def _runs(
    package: NativePackage, members: list[ConvertedMember]
) -> Iterator[list[ConvertedMember]]:
    """Yield the members in parts, each of one pass: in the order in which the package has them."""
    place = {file.path: number for number, file in enumerate(package.head.files)}
    run: list[ConvertedMember] = []
    last, size = -1, 0
    for member in members:
        number = -1 if member.entry is None else place[member.entry.path]
        if run and (number <= last or size > _RUN_BYTES):
            yield run
            run, size = [], 0
        run.append(member)
        size += member.size
        last = number if member.entry is not None else len(place)
    if run:
        yield run


def _give(member: ConvertedMember, stream: TarStream) -> None:
    stream.begin(member.path, member.size, executable=member.executable)
    stream.write(member.data)
    stream.end()


class _Renaming:
    """A sink that gives files to a tar stream, in order, each under its new path."""

    divisible = False

    def __init__(self, stream: TarStream, members: list[ConvertedMember]) -> None:
        self._stream = stream
        self._members = iter(members)

    def begin(self, file: FileEntry) -> None:
        """Begin the next file, which is the same under another path."""
        member = next(self._members)
        self._stream.begin(member.path, file.size, executable=member.executable)

    def write(self, data: memoryview) -> None:
        """Take the next bytes."""
        self._stream.write(data)

    def end(self) -> None:
        """End the file."""
        self._stream.end()


def _to_v1(
    package: NativePackage, request: ConvertRequest, progress: Progress | None
) -> tuple[tuple[str, ...], WrittenArchive]:
    from cloacina_ctl.formats.legacy.write_v1 import dump_v1, write_v1
    from cloacina_ctl.operations.packaging.v1 import release_of_library, v1_manifest
    from cloacina_ctl.platforms import read_library

    manifest = package.head.manifest
    libraries = [one for one in manifest.artifacts if one.kind == "cdylib"]
    if len(libraries) != 1 or not manifest.workflows:
        raise Incompatible.of(
            Code.NOT_FOR_RUNTIME,
            f"a `v1` package holds one compiled library, and this one holds {len(libraries)}",
            where=package.path,
        )
    artifact = libraries[0]
    release = release_of_library(artifact, request.target.runtime)
    losses = allow_losses(_losses(package, request), request)
    entry = next(file for file in package.head.files if file.path == artifact.path)
    with _Spooled(package, entry) as fd:
        exports = read_library(fd, where=artifact.path).exports
    said = v1_manifest(manifest.package, manifest.workflows[0], artifact, exports, release)
    text = dump_v1(said)
    path = MemberPath(layout.MANIFEST)
    members = [
        ConvertedMember(path, len(text), False, None, text),
        ConvertedMember(MemberPath(said.library.filename), entry.size, True, entry),
    ]
    feed = _feed(package, members, stage(progress, "converting"))
    rules = size_rules(release, V1, package.head.root)
    return losses, write_v1(Destination(request.output, request.overwrite), feed, rules)


class _Spooled:
    """One file of a package in a file without a name, for who has to read it out of order."""

    divisible = False

    def __init__(self, package: NativePackage, entry: FileEntry) -> None:
        self._package = package
        self._entry = entry
        self._folder = scratch_folder()
        self._fd = -1

    def __enter__(self) -> int:
        with reported(self._folder):
            self._fd = unnamed_file(self._folder)
        try:
            self._package.stream(self, (self._entry,))
        except BaseException:
            os.close(self._fd)
            raise
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def begin(self, file: FileEntry) -> None:
        """Begin the one file."""

    def write(self, data: memoryview) -> None:
        """Take the next bytes."""
        with reported(self._folder):
            write_all(self._fd, data)

    def end(self) -> None:
        """End the one file."""
