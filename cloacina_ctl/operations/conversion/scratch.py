"""A native package converted for the next step: into an unnamed temporary file."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.files.leftovers import locked_private_folder
from cloacina_ctl.files.staging import reported, scratch_folder
from cloacina_ctl.operations.conversion.from_native import convert_native
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.policy import VerificationPolicy
from cloacina_ctl.verification.verify import begin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.formats.native.reader import NativePackage
    from cloacina_ctl.operations.conversion.request import Converted, ConvertRequest
    from cloacina_ctl.progress import Progress

_NAME = "converted"


class Copy(NamedTuple):
    """An open file without a name that holds what was ``converted``; ``rule`` takes it alone."""

    fd: int
    rule: VerificationPolicy
    converted: Converted


@contextlib.contextmanager
def converted_copy(
    package: NativePackage, request: ConvertRequest, progress: Progress | None = None
) -> Iterator[Copy]:
    """Convert a native package into a file of our own, wherever ``request`` would put it.

    Its bytes stay open for the body, and are pinned by their content. Raises what ``convert`` does.
    """
    proof = begin(package, request.rule)
    base = scratch_folder()
    with reported(base):
        folder = locked_private_folder(base)
    with folder:
        made = folder.path_within(_NAME)
        converted = convert_native(proof, request._replace(output=made), progress)
        with reported(made):
            fd = folder.open_file(_NAME)
    try:
        pinned = VerificationPolicy(
            allow_unsigned=True, content=converted.content, limits=request.rule.limits
        )
        yield Copy(fd, pinned, converted)
    finally:
        os.close(fd)
