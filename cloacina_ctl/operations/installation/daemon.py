"""``install --daemon``: a package into the folder that Cloacina's daemon watches.

which daemon is it → does it load what is copied there → verify → convert to what it reads → is
another of that name and version there → one rename, in the place of another version of it. Daemons
from 0.6 on load nothing that is copied: they have neither a compiler nor Python, and log an error
twice a second.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl import settings
from cloacina_ctl.errors import (
    CloacinaError,
    Code,
    Diagnostic,
    FileProblem,
    Incompatible,
    Severity,
    UsageError,
)
from cloacina_ctl.formats.native.reader import NativePackage
from cloacina_ctl.formats.opening import descriptor, open_descriptor, require_package_file
from cloacina_ctl.manifest.model import Language
from cloacina_ctl.operations.results import Verified
from cloacina_ctl.progress import stage
from cloacina_ctl.registry.daemon_folder import StagedDelivery, file_name, is_fifo, watched_files
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.policy import VerificationPolicy, check_policy
from cloacina_ctl.verification.verify import examine, prove

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.files.locks import Waits
    from cloacina_ctl.inspection.legacy_contents import LegacyContents
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.releases.table import Release

__all__ = ["DaemonRequest", "Delivered", "daemon_release", "install_for_daemon"]

PROGRAM = "cloacinactl"
# Of the releases that have a daemon, those whose daemon builds and runs what is copied.
LOADING = ("0.4", "0.5")
_FORMAT = "source"


class DaemonRequest(NamedTuple):
    """What to deliver, and to which daemon.

    ``folder`` None is ``~/.cloacina/packages``; ``release`` None asks the ``cloacinactl`` in PATH.
    ``lossy`` takes what the daemon's format cannot hold; ``force`` delivers what the daemon does
    not load, and replaces another package of that name and version.
    """

    path: str
    rule: VerificationPolicy = VerificationPolicy()
    folder: str | None = None
    release: str | None = None
    lossy: bool = False
    force: bool = False


class Delivered(NamedTuple):
    """What lies in the daemon's folder now, as ``file``; ``changed`` is false where all was so.

    ``losses`` are what a conversion lost, which signatures that were verified here are not;
    ``replaced`` are the other versions of it that lay there and do no more. With ``restart`` a
    daemon that runs has to be started again.
    """

    path: str
    file: str
    release: str
    name: str
    version: str
    content: str
    size: int
    source_format: str
    losses: tuple[str, ...]
    trusted_signers: tuple[str, ...]
    replaced: tuple[str, ...]
    restart: bool
    changed: bool
    warnings: tuple[Diagnostic, ...] = ()


class _There(NamedTuple):
    """A package in the folder."""

    path: str
    name: str
    version: str
    digest: str


def install_for_daemon(
    request: DaemonRequest, progress: Progress | None = None, waits: Waits = contextlib.nullcontext
) -> Delivered:
    """Deliver the package: it then lies in the folder, whole, in the format that the daemon reads.

    ``waits`` is entered while another program delivers there. Raises what ``verify`` and
    ``convert`` do; ``Incompatible`` for a daemon that does not load it; ``UsageError`` for one of
    no known release; ``FileProblem`` where another package of that name and version lies there.
    """
    from cloacina_ctl.inspection.manifest_view import view_of
    from cloacina_ctl.releases.table import find_release

    check_policy(request.rule)
    runtime = find_release(request.release or daemon_release())
    warnings = _check_daemon(runtime, force=request.force)
    folder = request.folder or settings.daemon_folder()
    into = StagedDelivery(folder, waits=waits)
    with into as dropped, _right_format(request, runtime, progress) as source:
        dropped.copy_from(source.fd, request.path, stage(progress, "copying"))
        verified = _verify(dropped, source, progress)
        contents = _read(dropped, verified)
        warnings += _check_release(contents, runtime, force=request.force)
        there, unread = _look_around(folder)
        place = _put(dropped, verified, there, force=request.force)
    replaced = {one.version for one in there if one.name == verified.name} - {verified.version}
    return Delivered(
        path=request.path,
        file=place.path,
        release=runtime.name,
        name=verified.name,
        version=verified.version,
        content=verified.content,
        size=verified.size,
        source_format=source.format,
        losses=source.losses,
        trusted_signers=verified.trusted_signers
        if source.trusted_signers is None
        else source.trusted_signers,
        replaced=tuple(sorted(replaced)),
        restart=_needs_restart(place, view_of(contents).language),
        changed=not place.is_there or bool(place.gone),
        warnings=warnings + unread,
    )


def _put(
    dropped: StagedDelivery, verified: Verified, there: tuple[_There, ...], *, force: bool
) -> _Place:
    """Have it lie there, and nothing else of its name."""
    place = _place(dropped, verified, there, force=force)
    if not place.is_there:
        dropped.commit(place.path, instead_of=place.instead_of)
    dropped.remove(place.gone)
    return place


def daemon_release() -> str:
    """Return the release of the ``cloacinactl`` in PATH; raises ``UsageError`` where none says."""
    from cloacina_ctl.project.subprocesses import Program, clean_environment, find_program, run

    lines: list[bytes] = []
    path = find_program(PROGRAM)
    if path is not None:
        program = Program(path, ("--version",), os.sep, clean_environment())
        with contextlib.suppress(CloacinaError):
            run(program, lines.append, lambda _: None)
    words = b" ".join(lines).decode("utf-8", "replace").split()
    if len(words) >= 2 and words[0] == PROGRAM:
        return words[1]
    raise UsageError.of(
        Code.DAEMON_UNKNOWN,
        f"the release of the daemon is not known: no `{PROGRAM}` in PATH"
        if path is None
        else "the release of the daemon is not known: this program does not report it",
        where=path,
        hint="name it: --daemon-version 0.5",
    )


class _Source(NamedTuple):
    """The bytes to deliver; ``trusted_signers`` where the converted package was verified."""

    fd: int
    path: str
    format: str
    rule: VerificationPolicy
    losses: tuple[str, ...] = ()
    trusted_signers: tuple[str, ...] | None = None


@contextlib.contextmanager
def _right_format(
    request: DaemonRequest, runtime: Release, progress: Progress | None
) -> Iterator[_Source]:
    """Open the package, or what it converts to, as the daemon reads it."""
    fd = descriptor(request.path, request.rule.limits)
    try:
        require_package_file(fd, request.path)
        with open_descriptor(os.dup(fd), request.path, request.rule.limits) as package:
            if isinstance(package, NativePackage):
                with _converted(package, request, runtime, progress) as source:
                    yield source
                return
        yield _Source(fd, request.path, _FORMAT, request.rule)
    finally:
        os.close(fd)


@contextlib.contextmanager
def _converted(
    package: NativePackage, request: DaemonRequest, runtime: Release, progress: Progress | None
) -> Iterator[_Source]:
    """Convert a native package for the daemon, which reads no signature: it was verified here."""
    from cloacina_ctl.operations.conversion.request import ConvertRequest
    from cloacina_ctl.operations.conversion.scratch import converted_copy
    from cloacina_ctl.operations.packaging.target import choose_target

    conversion = ConvertRequest(
        path=request.path,
        output=request.path,
        target=choose_target(_FORMAT, runtime.name),
        rule=request.rule,
        lossy=request.lossy,
        delivered=True,
    )
    with converted_copy(package, conversion, progress) as copy:
        made = copy.converted
        yield _Source(
            fd=copy.fd,
            path=request.path,
            format=made.source_format,
            rule=copy.rule,
            losses=made.losses,
            trusted_signers=made.trusted_signers,
        )


def _verify(dropped: StagedDelivery, source: _Source, progress: Progress | None) -> Verified:
    """Verify what was copied, as it lies beside the daemon's packages."""
    with open_descriptor(os.dup(dropped.fd), source.path, source.rule.limits) as package:
        verified = Verified.of(prove(package, source.rule, progress))
    if verified.format != _FORMAT:
        raise Incompatible.of(
            Code.DAEMON_FORMAT,
            f"the daemon reads `{_FORMAT}` packages, and this is `{verified.format}`",
            where=source.path,
            hint="`cloacina-ctl convert` it to native first",
        )
    return verified


def _check_daemon(runtime: Release, *, force: bool) -> tuple[Diagnostic, ...]:
    """Refuse a daemon that loads nothing that is copied into its folder."""
    if runtime.name in LOADING:
        return ()
    if runtime.format != _FORMAT:
        raise Incompatible.of(
            Code.DAEMON_LOADS_NOTHING,
            f"Cloacina {runtime.name} has no daemon: its programs read packages directly",
            hint="`cloacina-ctl install` without --daemon keeps it on this machine",
        )
    found = Diagnostic(
        Code.DAEMON_LOADS_NOTHING,
        f"the daemon of Cloacina {runtime.name} loads nothing that is copied into its folder: it "
        "has neither a compiler nor Python",
        None,
        "`cloacina-ctl publish` it to a server, which builds it; --force copies it anyway",
    )
    if not force:
        raise Incompatible(found)
    return (found._replace(severity=Severity.WARNING),)


def _read(dropped: StagedDelivery, verified: Verified) -> LegacyContents:
    from cloacina_ctl.formats.legacy.reader import LegacyPackage
    from cloacina_ctl.inspection.legacy_contents import read_contents

    with LegacyPackage(os.dup(dropped.fd), verified.path) as package:
        return read_contents(examine(package))


def _check_release(
    contents: LegacyContents, runtime: Release, *, force: bool
) -> tuple[Diagnostic, ...]:
    """Refuse a package that releases of the daemon do not load, as far as its manifest states."""
    from cloacina_ctl.checks.releases import facts_of_package
    from cloacina_ctl.checks.subjects import LegacySubject
    from cloacina_ctl.releases.rules import releases_that_load

    facts = facts_of_package(LegacySubject.of(contents))
    releases = [release.name for release in releases_that_load(facts)]
    if runtime.name in releases:
        return ()
    loads = f"{', '.join(releases)} do" if releases else "no release does"
    found = Diagnostic(
        Code.DAEMON_FORMAT,
        f"Cloacina {runtime.name} does not load this package; {loads}",
        contents.evidence.identity.path,
        "`cloacina-ctl validate` says why; --force copies it anyway",
    )
    if not force:
        raise Incompatible(found)
    return (found._replace(severity=Severity.WARNING),)


def _look_around(folder: str) -> tuple[tuple[_There, ...], tuple[Diagnostic, ...]]:
    """Return the packages that lie in the folder, and a warning for each that cannot be read."""
    there, unread = [], []
    for path in watched_files(folder):
        try:
            with open_descriptor(descriptor(path), path) as package:
                found = examine(package, ()).stream().identity
        except CloacinaError as error:
            first = error.diagnostics[0]
            message = f"the daemon complains of it twice a second: {first.message}"
            if is_fifo(path):
                message = "it is a FIFO: a daemon that opens it waits there, and loads nothing more"
            unread.append(Diagnostic(first.code, message, path, "remove it", Severity.WARNING))
            continue
        there.append(_There(path, found.name, found.version, found.content))
    return tuple(there), tuple(unread)


class _Place(NamedTuple):
    """Where it is to lie, and whether it does; which file it replaces, and which go besides.

    With ``other`` the file that it replaces is another version.
    """

    path: str
    is_there: bool = False
    instead_of: str | None = None
    gone: tuple[str, ...] = ()
    other: bool = False


def _place(
    dropped: StagedDelivery, verified: Verified, there: tuple[_There, ...], *, force: bool
) -> _Place:
    """Return the place of the one file of its name; refuse where another has its version."""
    path = os.path.join(dropped.folder, file_name(verified.name, verified.version))
    ours = [one for one in there if one.name == verified.name]
    same = [one for one in ours if one.version == verified.version]
    for one in same:
        if one.digest == verified.content:
            return _Place(one.path, True, None, tuple(o.path for o in ours if o != one))
    if same and not force:
        what = f"{verified.name} {verified.version}"
        message = f"another package lies there as {what}: the daemon keeps to what it loaded"
        raise _other_bytes(message, same[0].path, "give the package a new version")
    paths = [one.path for one in same + ours]
    if path not in paths and os.path.lexists(path):
        raise _other_bytes("another package has the name of the file", path, "rename that file")
    instead_of = path if path in paths else next(iter(paths), None)
    gone = tuple(sorted(set(paths) - {instead_of or path}))
    return _Place(path, False, instead_of, gone, not same)


def _needs_restart(place: _Place, language: Language | None) -> bool:
    """Return whether a daemon that runs does not come to run the package by itself.

    It builds another version of a Rust package that took the place of the one before. Of Python it
    imports nothing twice, and of what has the same version it loads nothing again. Where a version
    goes by itself, the tasks of both go.
    """
    if place.gone:
        return True
    if place.instead_of is None:
        return False
    return not place.other or language is not Language.RUST


def _other_bytes(message: str, where: str, hint: str) -> FileProblem:
    return FileProblem.of(Code.OTHER_BYTES, message, where=where, hint=hint)
