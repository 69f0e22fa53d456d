"""The notes of vendoring: about the lock, and about parts of wheels without effect."""

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
    """A distribution that the new lock adds (``+``) or removes (``-``)."""

    sign: str
    name: str
    version: str


def without_effect(wheels: Mapping[LockedWheel, Wheel]) -> Iterator[Diagnostic]:
    """Yield the parts of wheels that an installer would use and vendoring does not."""
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
                "only files inside of its packages are vendored",
                Severity.NOTE,
            )


def changes_of(root: str, lock: WheelLock) -> Iterator[LockChange]:
    """Yield how the new lock differs from the old one, by name; nothing if that is unreadable."""
    old = None
    with contextlib.suppress(Refused):
        old = read_lock(root)
    before = {(one.name, one.version) for one in (old.wheels if old is not None else ())}
    after = {(one.name, one.version) for one in lock.wheels}
    for name, version in sorted(before ^ after, key=lambda one: (one[0], one in after, one[1])):
        yield LockChange("+" if (name, version) in after else "-", name, version)


def lock_notes(choice: WheelChoice, lock: WheelLock | None) -> Iterator[Diagnostic]:
    """Yield what was written, why, and which properties of the target were taken by default."""
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
    hint = f"commit it; for another target give {' and '.join(chosen)}" if chosen else "commit it"
    yield Diagnostic(Code.LOCK_FILE, message, VENDOR_LOCK, hint, Severity.NOTE)


def _whose(choice: WheelChoice, lock: WheelLock) -> str:
    """Return where the Python and platform of the lock come from, if they were not given."""
    platform = "this machine's platform" if PLATFORM in choice.own else ""
    if PYTHON not in choice.own:
        return platform
    is_mine = lock.python == f"3.{sys.version_info[1]}"
    python = "this machine's Python" if is_mine else "the oldest Python of the project"
    return f"{python} and {'platform' if is_mine else platform}" if platform else python


def skipped_engines(engines: tuple[str, ...]) -> Iterator[Diagnostic]:
    """Yield what is not vendored because the engine provides it."""
    for name in engines:
        yield Diagnostic(
            Code.ENGINE_VENDORED, f"not vendored: {name}, the engine provides it",
            severity=Severity.NOTE,
        )  # fmt: skip


def narrowed(
    fewer: str | None, requires: str | None, choice: WheelChoice, options: VendorOptions
) -> Iterator[Diagnostic]:
    """Yield that the package is for fewer Pythons; as a detail if a Python was given."""
    if fewer is None:
        return
    python = choice.targets[0].python
    yield Diagnostic(
        Code.NARROWED_PYTHON,
        f"the package is for Python {fewer}, the project for {requires or 'any'}: the wheels were "
        f"chosen for {python}",
        hint="name the Python of the target machine: --vendor-python",
        severity=Severity.WARNING if options.python is None else Severity.NOTE,
    )
