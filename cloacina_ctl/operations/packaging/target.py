"""What a package is for: its format, and the release whose rules it keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.releases.table import Release

NATIVE, SOURCE, V1 = "native", "source", "v1"


class FormatTarget(NamedTuple):
    """A format; ``runtime`` None means any release that loads it."""

    format: str = NATIVE
    runtime: Release | None = None


def choose_target(form: str | None, version: str | None, *, pad: bool = False) -> FormatTarget:
    """Return the format, which a release's ``version`` chooses where ``form`` is None.

    Raises ``UsageError`` for an unknown release, and where the three contradict
    each other.
    """
    runtime = None
    if version is not None:
        from cloacina_ctl.releases.table import find_release

        runtime = find_release(version)
        if form == NATIVE:
            raise UsageError.of(
                Code.USAGE,
                f"no release up to {runtime.name} loads native packages",
                hint=f"remove --format: {runtime.name} loads `{runtime.format}`",
            )
        if form not in (None, runtime.format):
            raise UsageError.of(
                Code.USAGE,
                f"Cloacina {runtime.name} loads `{runtime.format}` packages, and --format says "
                f"`{form}`",
            )
    chosen = form or (runtime.format if runtime is not None else NATIVE)
    if pad and chosen != SOURCE:
        raise UsageError.of(
            Code.USAGE, f"--pad is for `source` packages: no reader of `{chosen}` needs it"
        )
    return FormatTarget(chosen, runtime)
