"""The file that a server gets: the package as it is, or what a native one converts to.

One descriptor from here to the last byte that is sent: what is verified is what is published.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Incompatible, Severity
from cloacina_ctl.formats.native.reader import NativePackage
from cloacina_ctl.formats.opening import descriptor, open_descriptor
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.formats.legacy.reader import LegacyPackage
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.releases.table import Release
    from cloacina_ctl.verification.policy import VerificationPolicy

_FORMAT = "source"


class UploadSource(NamedTuple):
    """An open source package, the descriptor of the same file, and the rule that it must meet.

    ``trusted_signers`` is there where it was converted: the trusted signers of the original.
    """

    package: LegacyPackage
    fd: int
    rule: VerificationPolicy
    trusted_signers: tuple[str, ...] | None = None
    losses: tuple[Diagnostic, ...] = ()


@contextlib.contextmanager
def open_for_server(
    path: str,
    rule: VerificationPolicy,
    runtime: Release,
    progress: Progress | None,
    *,
    convert: bool,
) -> Iterator[UploadSource]:
    """Open the package at ``path``; with ``convert`` a native one becomes a source package first.

    Raises ``Incompatible`` for a native one otherwise; what conversions raise.
    """
    fd = descriptor(path, rule.limits)
    try:
        with open_descriptor(os.dup(fd), path, rule.limits) as package:
            if not isinstance(package, NativePackage):
                yield UploadSource(package, fd, rule)
            elif convert:
                with _converted(package, rule, runtime, progress) as source:
                    yield source
            else:
                raise Incompatible.of(
                    Code.OLDER_FORMAT,
                    "it is a native package, and servers read only source packages",
                    where=path,
                    hint="convert it to a source package with --convert",
                )
    finally:
        os.close(fd)


@contextlib.contextmanager
def _converted(
    package: NativePackage, rule: VerificationPolicy, runtime: Release, progress: Progress | None
) -> Iterator[UploadSource]:
    """Convert into a file of our own, which is gone before anything is sent: its bytes stay open.

    What is lost of the manifest is lost for the server alone, so it is reported without a question.
    """
    from cloacina_ctl.formats.legacy.reader import LegacyPackage
    from cloacina_ctl.operations.conversion.request import ConvertRequest
    from cloacina_ctl.operations.conversion.scratch import converted_copy
    from cloacina_ctl.operations.packaging.target import choose_target

    request = ConvertRequest(
        path=package.path,
        output=package.path,
        target=choose_target(_FORMAT, runtime.name, pad=True),
        rule=rule,
        lossy=True,
        pad=True,
    )
    with converted_copy(package, request, progress) as copy:
        converted = copy.converted
        with LegacyPackage(os.dup(copy.fd), package.path, rule.limits) as source:
            losses = tuple(_lost(loss, package.path) for loss in converted.losses)
            yield UploadSource(source, copy.fd, copy.rule, converted.trusted_signers, losses)


def _lost(loss: str, path: str) -> Diagnostic:
    return Diagnostic(
        Code.LOSS, f"not in what the server gets: {loss}", path, None, Severity.WARNING
    )
