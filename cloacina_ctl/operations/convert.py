"""``convert``: a package of one format becomes one of another.

verify it by the rule of ``verify`` → list what would be lost → write. A signature never survives,
for it is over the bytes of the old file; that what it was over is in the new one, only the result's
own signature can say.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.files.staging import reported
from cloacina_ctl.formats.native.reader import STDIN
from cloacina_ctl.operations.conversion.request import Converted, ConvertRequest
from cloacina_ctl.operations.packaging.target import NATIVE
from cloacina_ctl.verification.policy import check_policy
from cloacina_ctl.verification.verify import verifying

if TYPE_CHECKING:
    from cloacina_ctl.progress import Progress

__all__ = ["ConvertRequest", "Converted", "convert"]


def convert(request: ConvertRequest, progress: Progress | None = None) -> Converted:
    """Convert the package; afterwards the new one is there, whole, or nothing is.

    Raises what ``verify`` does of the old one, ``Refused`` where something would be lost and that
    was not allowed, ``Incompatible`` where nothing in it fits the other format.
    """
    check_policy(request.rule)
    _refuse_same_file(request)
    with verifying(request.path, request.rule) as proof:
        if proof.native is not None:
            if request.target.format == NATIVE:
                raise _nothing_to_do(request, NATIVE)
            from cloacina_ctl.operations.conversion.from_native import convert_native

            return convert_native(proof, request, progress)
        if request.target.format != NATIVE:
            raise _nothing_to_do(request, "such")
        from cloacina_ctl.operations.conversion.to_native import convert_legacy

        return convert_legacy(proof, request, progress)


def _refuse_same_file(request: ConvertRequest) -> None:
    """Refuse to write over what is read: a conversion cannot be taken back."""
    with reported(request.output):
        both = request.path != STDIN and os.path.exists(request.output)
        if both and os.path.exists(request.path) and os.path.samefile(request.path, request.output):
            raise UsageError.of(
                Code.USAGE,
                "the output would replace the package that is converted",
                where=request.output,
                hint="choose another output",
            )


def _nothing_to_do(request: ConvertRequest, kind: str) -> UsageError:
    if kind == NATIVE:
        return UsageError.of(Code.USAGE, "it is a native package already", where=request.path)
    return UsageError.of(
        Code.USAGE,
        f"a legacy package cannot be converted to `{request.target.format}` directly",
        where=request.path,
        hint="convert it to native first: --format native",
    )
