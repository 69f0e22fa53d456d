"""``sign`` for packages of other generations: a sidecar beside the file, which stays as it is.

A sidecar has room for one signature. One by the same key is renewed; one by another key, or a file
that is none, is replaced only where the caller says so.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem, Refused, UsageError
from cloacina_ctl.files.ownership import is_there
from cloacina_ctl.files.staging import open_to_replace, reported, write_file
from cloacina_ctl.formats.sinks import DISCARD
from cloacina_ctl.progress import stage
from cloacina_ctl.signing.sidecar import make_sidecar, read_sidecar, sidecar_path
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.digest import Digest
    from cloacina_ctl.files.locks import Waits
    from cloacina_ctl.files.staging import Replaced
    from cloacina_ctl.formats.legacy.reader import LegacyPackage
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.signing.keys import PrivateKey

_ONE = "a sidecar has room for one signature"


class SidecarRequest(NamedTuple):
    """Which keys are to sign, and where the sidecar goes: beside the package if None."""

    keys: tuple[PrivateKey, ...]
    output: str | None = None
    overwrite: bool = False
    signed_at: str | None = None


class Sidecar(NamedTuple):
    """The sidecar that was written: fingerprints of its key and of the one that it had before."""

    path: str
    digest: Digest
    keyid: str
    replaced: str | None


def write_sidecar(
    package: LegacyPackage,
    request: SidecarRequest,
    progress: Progress | None = None,
    waits: Waits = contextlib.nullcontext,
) -> Sidecar:
    """Write the sidecar of ``package``: afterwards it is there, whole, or as it was.

    Every byte of the package is proved first, as ``verify`` does. Raises ``UsageError`` for what no
    sidecar holds, ``Refused`` for what is no whole package, and ``FileProblem`` where something
    else is in the way, or came into the way meanwhile.
    """
    key = _only_key(request.keys)
    keyid = key.public.fingerprint
    output = request.output or sidecar_path(package.path)
    _refuse_the_package(output, package.path)
    with contextlib.ExitStack() as held:
        replaced = before = None
        if is_there(output):
            replaced = held.enter_context(_turn(output, waits))
            before = _signer(output, overwrite=request.overwrite)
        if before not in (None, keyid) and not request.overwrite:
            raise _taken(f"it is the signature of another key, {before}; {_ONE}", output)
        package.stream(DISCARD, progress=stage(progress, "verifying"))
        # Where there was none, one that came meanwhile is not replaced: nobody has read it.
        write_file(output, make_sidecar(package.digest, key, request.signed_at), replaced=replaced)
    return Sidecar(output, package.digest, keyid, replaced=None if before == keyid else before)


def _turn(output: str, waits: Waits) -> contextlib.AbstractContextManager[Replaced]:
    """Hold the sidecar that is there, so that what is read of it stays so until it is replaced."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return open_to_replace(lambda: os.open(output, flags), output, waits=waits)


def _only_key(keys: tuple[PrivateKey, ...]) -> PrivateKey:
    if len(keys) > 1:
        raise UsageError.of(
            Code.BLOCK_FULL,
            f"{_ONE}, and {len(keys)} keys are to sign",
            hint="sign with one; a second sidecar elsewhere is made with --output",
        )
    return keys[0]


def _refuse_the_package(output: str, package: str) -> None:
    """Refuse to write the sidecar over the package itself, also with ``--force``."""
    with reported(output):
        taken = os.path.exists(output) and os.path.exists(package)  # not what came on stdin
        if taken and os.path.samefile(output, package):
            raise UsageError.of(
                Code.USAGE,
                "the signature would replace the package: it goes into a file of its own",
                hint=f"leave --output away: it is {sidecar_path(package)}",
            )


def _signer(output: str, *, overwrite: bool) -> str | None:
    """Return the keyid of the sidecar that is there, or refuse to replace what is none."""
    try:
        return read_sidecar(output).keyid
    except Refused as error:
        if overwrite:
            return None
        raise _taken("it exists already and is no sidecar", output) from error


def _taken(why: str, output: str) -> FileProblem:
    return FileProblem.of(
        Code.EXISTS,
        why,
        where=output,
        hint="write elsewhere with --output, or replace it with --force",
    )
