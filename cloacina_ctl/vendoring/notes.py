"""What people are told of vendoring beside the package: the lock, and what has no effect."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Refused, Severity
from cloacina_ctl.project.detect import VENDOR_LOCK
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.choice import PLATFORM, PYTHON, VendorOptions
from cloacina_ctl.vendoring.locks.lock import WheelLock, read_lock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cloacina_ctl.formats.wheel.reader import Wheel
    from cloacina_ctl.vendoring.choice import WheelChoice
    from cloacina_ctl.vendoring.locks.lock import LockedWheel

_MOST_CODE = 100  # characters of a line


class LockChange(NamedTuple):
    """A distribution that a new lock has (``+``), or that the old one had (``-``)."""

    sign: str
    name: str
    version: str


def without_effect(wheels: Mapping[LockedWheel, Wheel]) -> Iterator[Diagnostic]:
    """Yield what of the wheels an installer would put to use, and vendoring does not."""
    for wheel, unpacked in wheels.items():
        for one in unpacked.startup:
            what = [f"puts `{folder}` on the import path" for folder in one.folders[:1]]
            what += [
                f"runs code when Python starts: `{line[:_MOST_CODE]}`" for line in one.code[:1]
            ]
            yield Diagnostic(
                Code.STARTUP_FILE,
                f"{one.path} of {wheel.title} has no effect here; installed, it "
                f"{' and '.join(what)}",
                wheel.file,
                "if the dependency needs that, do it in the entry module before you import it",
                Severity.WARNING,
            )
        if unpacked.data:
            yield Diagnostic(
                Code.DATA_FILES,
                f"{wheel.title} has data files that are left out: {unpacked.data[0]}"
                + (f" and {len(unpacked.data) - 1} more" if len(unpacked.data) > 1 else ""),
                wheel.file,
                "nothing installs them; files inside of its packages are vendored",
                Severity.NOTE,
            )


def changes_of(root: str, lock: WheelLock) -> Iterator[LockChange]:
    """Yield how the new lock differs from what is there, by name; what cannot be read has none."""
    old = None
    with contextlib.suppress(Refused):
        old = read_lock(root)
    before = {(one.name, one.version) for one in (old.wheels if old is not None else ())}
    after = {(one.name, one.version) for one in lock.wheels}
    for name, version in sorted(before ^ after, key=lambda one: (one[0], one in after, one[1])):
        yield LockChange("+" if (name, version) in after else "-", name, version)


def told_of_lock(choice: WheelChoice, lock: WheelLock | None) -> Iterator[Diagnostic]:
    """Yield what was written, why, and what was taken for the runtime's that nobody named."""
    if lock is None:
        return
    number = len(lock.wheels)
    wheels = f"{number} wheel{'' if number == 1 else 's'}"
    what = f"{wheels} for Python {lock.python} on {', '.join(lock.platforms)}"
    message = f"new: {what}" if choice.found is None else f"updated: {choice.why}"
    options = {PYTHON: "--vendor-python", PLATFORM: "--vendor-platform"}
    chosen = [option for one, option in options.items() if one in choice.own]
    if chosen:
        message += f", {_whose(choice, lock)}"
    hint = f"commit it; for another runtime give {' and '.join(chosen)}" if chosen else "commit it"
    yield Diagnostic(Code.LOCK_FILE, message, VENDOR_LOCK, hint, Severity.NOTE)


def _whose(choice: WheelChoice, lock: WheelLock) -> str:
    """Return why it is for this Python or platform, where nobody named one."""
    platform = "this machine's platform" if PLATFORM in choice.own else ""
    if PYTHON not in choice.own:
        return platform
    is_mine = lock.python == f"3.{sys.version_info[1]}"
    python = "this machine's Python" if is_mine else "the oldest Python of the project"
    return f"{python} and {'platform' if is_mine else platform}" if platform else python


def skipped_engines(engines: tuple[str, ...]) -> Iterator[Diagnostic]:
    """Yield what is not vendored because the engine brings it."""
    for name in engines:
        yield Diagnostic(
            Code.ENGINE_VENDORED, f"not vendored: {name}, the engine brings it",
            severity=Severity.NOTE,
        )  # fmt: skip


def narrowed(
    fewer: str | None, requires: str | None, choice: WheelChoice, options: VendorOptions
) -> Iterator[Diagnostic]:
    """Yield that the package is for fewer Pythons; where somebody chose one, as a detail."""
    if fewer is None:
        return
    python = choice.targets[0].python
    yield Diagnostic(
        Code.NARROWED_PYTHON,
        f"the package is for Python {fewer}, the project for {requires or 'any'}: the wheels were "
        f"chosen for {python}",
        hint="name the runtime's Python: --vendor-python",
        severity=Severity.WARNING if options.python is None else Severity.NOTE,
    )
