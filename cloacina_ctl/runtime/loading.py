"""Loads a package from verified bytes: which of its files are extracted and loaded.

Nothing here decides whether a package is trusted: ``package`` does, by a policy. The files of a
native package are proved byte by byte as they are read, against a head that was checked before.
A legacy package is proved as it is read, into the sink of ``LegacyMaterial``.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Incompatible, Refused, Severity
from cloacina_ctl.files.overlay import laid_over
from cloacina_ctl.files.staging import reported, write_all
from cloacina_ctl.formats import layout
from cloacina_ctl.formats.extraction import Extraction
from cloacina_ctl.manifest.model import Language
from cloacina_ctl.paths import MemberPath, collisions
from cloacina_ctl.platforms.tags import host_platform, is_promised, platform_fits
from cloacina_ctl.runtime.process.bundle import NATIVE, ModuleTree
from cloacina_ctl.runtime.process.child import HostOptions
from cloacina_ctl.runtime.scheduler.select import needs_build
from cloacina_ctl.runtime.session import Preparation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import BinaryIO

    from typing_extensions import Self

    from cloacina_ctl.files.overlay import Patch
    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.formats.legacy.reader import ArchiveContents
    from cloacina_ctl.formats.native.reader import NativePackage
    from cloacina_ctl.formats.sinks import Sink
    from cloacina_ctl.manifest.model import Artifact, Manifest
    from cloacina_ctl.platforms.tags import HostPlatform
    from cloacina_ctl.progress import StageProgress
    from cloacina_ctl.runtime.metadata import PackageMetadata
    from cloacina_ctl.runtime.process.bundle import Material
    from cloacina_ctl.runtime.session import Session
    from cloacina_ctl.verification.verify import Evidence, Proof

_PIECE = 1 << 20
_TREE = "package"
# For diagnostics without a hint of their own.
_HINTS = {
    Code.UNKNOWN_ABI: "build it against a release from 0.2 to 0.12, or use a later cloacina-ctl",
    Code.PLUGIN_ANSWER: "build it again from its sources; if that does not help, ask its author",
    Code.CRASHED: "its code crashed while it was loaded: try to load it where it was built",
}


def load(ready: Preparation) -> Session:
    """Load the material of ``ready`` and return the session, which closes the material at its end.

    Raises ``Refused`` where the code cannot be loaded, does not answer or crashes, and
    ``Incompatible`` where it is for another platform or has an unknown interface.
    """
    try:
        return ready.load()
    except (Refused, Incompatible) as error:
        material = ready.material
        if material.order()["kind"] == NATIVE and error.diagnostics[0].code is Code.LOAD_FAILED:
            _explain(error, material)
        if material.python is not None and error.diagnostics[0].code is Code.LOAD_FAILED:
            _explain_python(error, material.python)
        error.diagnostics = tuple(map(_with_hint, error.diagnostics))
        raise


def take_native(
    proof: Proof,
    material: Material,
    *,
    workflow: str | None = None,
    progress: StageProgress | None = None,
) -> Evidence:
    """Put the files of a native package for this machine into ``material``, each byte proved.

    ``workflow`` selects one of several workflows of Python modules. Raises ``Incompatible`` where
    nothing fits this machine, ``Refused`` for a byte that differs from its digest and for a
    withheld section.
    """
    manifest = proof.require_native().head.manifest
    host = host_platform()
    if manifest.language is Language.PYTHON:
        return _take_tree(proof, material, host, workflow, progress)
    artifact = choose_artifact(manifest.artifacts, host, where=proof.package.path)
    return _take_library(proof, material, artifact, progress)


def choose_artifact(artifacts: tuple[Artifact, ...], host: HostPlatform, *, where: str) -> Artifact:
    """Return the library that fits ``host``, of several, the one that needs the newest libc.

    A library whose platform tag promises nothing is the last choice.
    """
    libraries = [one for one in artifacts if one.kind == "cdylib"]
    fitting = [one for one in libraries if platform_fits(one.platform, host, one.libc)]
    if not fitting:
        tags = ", ".join(one.platform for one in libraries) or "none"
        raise Incompatible.of(
            Code.NOT_FOR_RUNTIME,
            f"it has no library for this machine, which is {_words(host)}: {tags}",
            where=where,
            hint="package the project on such a machine, or for it with --target",
        )
    return max(fitting, key=_preference)


def _preference(artifact: Artifact) -> tuple[bool, tuple[int, ...]]:
    return is_promised(artifact.platform), artifact.libc.release if artifact.libc else ()


def vendored_elsewhere(
    artifacts: tuple[Artifact, ...], host: HostPlatform, where: str
) -> tuple[Diagnostic, ...]:
    """Return a warning where compiled dependencies are for other machines only.

    This is not an error: the dependencies may be installed beside the runtime.
    """
    trees = [one for one in artifacts if one.kind == "wheel-tree"]
    if not trees or any(platform_fits(one.platform, host, one.libc) for one in trees):
        return ()
    tags = ", ".join(one.platform for one in trees)
    return (
        Diagnostic(
            Code.VENDORED_ELSEWHERE,
            f"its compiled dependencies are for {tags}, and this is {_words(host)}",
            where,
            "vendor them for this machine too: package --vendor-platform",
            Severity.WARNING,
        ),
    )


def _take_library(
    proof: Proof, material: Material, artifact: Artifact, progress: StageProgress | None
) -> Evidence:
    package = proof.require_native()
    package.require_sections({layout.section_of(artifact.path)})
    files = [file for file in package.head.files if file.path == artifact.path]
    if not files:
        raise Refused.of(
            Code.MISSING_MEMBER,
            f"the manifest names a library that is missing: {artifact.path}",
            where=package.path,
        )
    sink = _IntoDescriptor(material.begin_library())
    evidence = proof.stream(sink, files, progress)
    material.end_library(artifact.interface.kind if artifact.interface else None)
    return evidence


def _take_tree(
    proof: Proof,
    material: Material,
    host: HostPlatform,
    workflow: str | None,
    progress: StageProgress | None,
) -> Evidence:
    package = proof.require_native()
    manifest = package.head.manifest
    package.require_sections({layout.COMMON})
    fitting = [one for one in manifest.artifacts if platform_fits(one.platform, host, one.libc)]
    tags = [one.platform for one in fitting]
    _refuse_own_code(package, tags, host)
    sections = {layout.COMMON, *tags}
    package.require_sections(sections)
    files = [file for file in package.head.files if layout.section_of(file.path) in sections]
    tree = os.path.join(material.folder, _TREE)
    with Extraction(tree, material.held) as extraction:
        together = _Together(extraction, package.path, files)
        evidence = proof.stream(together, files, progress)
        extraction.commit()
    folders = [f"{layout.PLATFORM_FOLDER}{tag}/vendor" for tag in tags]
    material.python = manifest.requires.python if manifest.requires is not None else None
    material.take_modules(
        ModuleTree(
            tree=tree,
            entry_module=manifest.entry_module or "",
            workflow=workflow or _workflow_of(manifest),
            package=manifest.package.name,
            vendored=("vendor", *folders),
            declared=_declared(manifest),
        )
    )
    return evidence


def _refuse_own_code(package: NativePackage, fitting: list[str], host: HostPlatform) -> None:
    """Raise ``Incompatible`` where the project's own compiled code is for other machines only.

    Dependencies may be installed beside the runtime; the project's own code is nowhere else.
    """
    if fitting:
        return
    own = {
        layout.section_of(file.path)
        for file in package.head.files
        if layout.place_on_platform(file.path) != file.path
    }
    if own:
        raise Incompatible.of(
            Code.NOT_FOR_RUNTIME,
            f"its compiled code is not for this machine, which is {_words(host)}: "
            f"{', '.join(sorted(own))}",
            where=package.path,
            hint="package the project on such a machine",
        )


def _declared(manifest: Manifest) -> dict[str, str]:
    """Return the modules of the dependencies that the package declares, for messages."""
    texts = manifest.requires.dependencies if manifest.requires else ()
    if not texts:
        return {}
    from cloacina_ctl.project.python.distributions import modules_of, name_of

    return modules_of([name_of(text) for text in texts])


def _workflow_of(manifest: Manifest) -> str:
    return manifest.workflows[0].name if manifest.workflows else "unknown"


class _Together:
    """A sink that merges the files for this platform into the files for all platforms."""

    def __init__(self, sink: Sink, where: str, files: Sequence[FileEntry]) -> None:
        self._sink = sink
        self.divisible = sink.divisible
        for clash in collisions(layout.place_on_platform(file.path) for file in files):
            raise Refused.of(
                Code.MEMBER_COLLISION, f"{clash.rule}: {clash.first}, {clash.second}", where=where
            )

    def begin(self, file: FileEntry) -> None:
        """Begin the file at its place."""
        self._sink.begin(file._replace(path=MemberPath(layout.place_on_platform(file.path))))

    def write(self, data: memoryview) -> None:
        """Write the next bytes."""
        self._sink.write(data)

    def end(self) -> None:
        """End the file."""
        self._sink.end()


class _IntoDescriptor:
    """A sink that writes its one file to a descriptor."""

    divisible = False

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def begin(self, file: FileEntry) -> None:
        """Begin with nothing."""

    def write(self, data: memoryview) -> None:
        """Write the next bytes."""
        with reported("the library"):
            write_all(self._fd, data)

    def end(self) -> None:
        """End the file; its bytes are proved."""


class LegacyMaterial:
    """Takes a legacy package. Use it as a context manager.

    Extract the package into ``sink``; once every byte is proved and the package is trusted,
    ``settle`` puts it into the material.
    """

    def __init__(self, material: Material) -> None:
        self._material = material
        self._tree = os.path.join(material.folder, _TREE)
        self.sink = Extraction(self._tree, material.held)

    def __enter__(self) -> Self:
        self.sink.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.sink.__exit__()

    def settle(self, contents: ArchiveContents) -> None:
        """Take what can be loaded from the package; raise ``Incompatible`` where nothing can."""
        from cloacina_ctl.formats.legacy.defaults import PYTHON, entry_module_of, language_of
        from cloacina_ctl.formats.legacy.model import SourceManifest, V1Manifest, V2Manifest

        manifest = contents.manifest
        self.sink.commit()
        if isinstance(manifest, V1Manifest):
            self._take_library(manifest.library.filename, f"c-abi-{manifest.release}")
        elif isinstance(manifest, V2Manifest) and manifest.library_path is not None:
            self._take_library(manifest.library_path, None)
        elif isinstance(manifest, V2Manifest):
            self._take_modules(manifest.entry_module, manifest.name, manifest.name)
        elif isinstance(manifest, SourceManifest):
            paths = frozenset(str(file.path) for file in contents.files)
            if language_of(manifest, paths) != PYTHON:
                raise needs_build("sources that a server compiles", self._material.where)
            entry = entry_module_of(manifest, PYTHON)
            self._take_modules(entry, manifest.workflow_name or "unknown", manifest.name)
        else:
            raise needs_build("constructors, and no workflow", self._material.where)

    def _take_library(self, path: str, kind: str | None) -> None:
        place = os.path.join(self._tree, path)
        with reported(self._material.where or place), open(place, "rb") as file:
            self._material.take_library(pieces(file), kind)

    def _take_modules(self, entry: str | None, workflow: str, package: str) -> None:
        modules = ModuleTree(
            tree=self._tree, entry_module=entry or "", workflow=workflow, package=package
        )
        self._material.take_modules(modules)


def load_library(
    path: str | os.PathLike[str],
    options: HostOptions = HostOptions(),
    patches: tuple[Patch, ...] = (),
) -> PackageMetadata:
    """Return the metadata of the library at ``path``, loaded with ``patches`` applied.

    It is read once and loaded from memory, in a child process that ends with this call. Use it only
    for a library that was just built here: no signature is checked. Raises as ``load``, and
    ``FileProblem`` where the library cannot be read.
    """
    name = os.fspath(path)
    with Preparation(name, options) as ready:
        with reported(name), open(name, "rb") as file:
            ready.material.take_library(_patched(pieces(file), patches))
        with load(ready) as session:
            return session.describe()


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield the bytes of a file."""
    return iter(lambda: file.read(_PIECE), b"")


def _patched(parts: Iterable[bytes], patches: tuple[Patch, ...]) -> Iterator[bytes]:
    start = 0
    for part in parts:
        yield laid_over(part, start, patches)
        start += len(part)


def _with_hint(found: Diagnostic) -> Diagnostic:
    return found if found.hint else found._replace(hint=_HINTS.get(found.code))


def _explain(error: Refused | Incompatible, material: Material) -> None:
    """Raise ``Incompatible`` where the library's header names another platform as the reason."""
    from cloacina_ctl.platforms.library_file import read_library

    fd = material.begin_library()  # it is there already
    found = read_library(fd, where=material.where)  # refuses other files, with a better message
    host = host_platform()
    if not platform_fits(found.tag, host, found.libc):
        first, *others = error.diagnostics
        message = f"the library is for {found.tag}, and this is {_words(host)}"
        raise Incompatible(
            first._replace(code=Code.PLATFORM_MISMATCH, message=message), *others
        ) from error


def _explain_python(error: Refused | Incompatible, specifier: str) -> None:
    """Raise ``Incompatible`` where the manifest asks for another Python, which is the reason."""
    from cloacina_ctl.vendoring.target import takes

    here = ".".join(map(str, sys.version_info[:3]))
    if not takes(specifier, here):
        first, *others = error.diagnostics
        message = f"the package is for Python {specifier}, and this is {here}: {first.message}"
        hint = "run it with such a Python, or vendor for this one: `package --vendor-python`"
        raise Incompatible(
            first._replace(code=Code.NOT_FOR_RUNTIME, message=message, hint=hint), *others
        ) from error


def _words(host: HostPlatform) -> str:
    libc = f" with {host.libc.name} {host.libc.floor or ''}".rstrip() if host.libc else ""
    return f"{host.os} on {host.machine}{libc}"
