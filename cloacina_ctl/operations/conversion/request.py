"""What every conversion is asked and answers, and what it may lose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Refused
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.policy import VerificationPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.operations.packaging.target import FormatTarget


class ConvertRequest(NamedTuple):
    """What to convert, and into what; ``lossy`` takes what the other format cannot hold.

    With ``delivered`` the result goes straight to an engine that reads neither signatures nor a
    range of releases: both are checked here, and neither is lost.
    """

    path: str
    output: str
    target: FormatTarget
    rule: VerificationPolicy = VerificationPolicy()
    lossy: bool = False
    pad: bool = False
    overwrite: bool = False
    delivered: bool = False


class Converted(NamedTuple):
    """The package that was made, and what it was made of.

    ``content`` is its identity, ``source_content`` that of the package which was converted;
    ``losses`` are what it does not hold any more.
    """

    path: str
    format: str
    size: int
    content: str
    files: int
    source_format: str
    source_content: str
    losses: tuple[str, ...]
    trusted_signers: tuple[str, ...]
    padding: int = 0
    runtime: str | None = None


def allow_losses(losses: Iterable[str], request: ConvertRequest) -> tuple[str, ...]:
    """Return what is lost, or raise ``Refused`` with all of it where that was not allowed."""
    found = tuple(losses)
    if found and not request.lossy:
        raise Refused(
            *(
                Diagnostic(
                    Code.LOSS,
                    f"would be lost: {loss}",
                    request.path,
                    "allow it with --lossy" if number == 0 else None,
                )
                for number, loss in enumerate(found)
            )
        )
    return found
