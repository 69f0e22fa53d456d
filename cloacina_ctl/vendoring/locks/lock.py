"""`cloacina.lock`: exactly which wheels a project's package gets, for people to read and compare.

Made from the requirements that stand in it. Beside the project and under version control it makes
the same package anywhere: same lock, same bytes.
"""

from __future__ import annotations

import contextlib
import os
import re
from operator import attrgetter
from typing import Any

from packaging.utils import canonicalize_name, canonicalize_version, parse_wheel_filename

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, FileProblem, Refused, UsageError
from cloacina_ctl.files.staging import changed_meanwhile, open_to_replace, reported, write_file
from cloacina_ctl.formats.wheel.reader import names_a_wheel
from cloacina_ctl.project.own_files import open_own, read_own_toml
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.target import Target, accepts, parse_target, target_for

LOCK_FILE = "cloacina.lock"
FORMAT = 1
MAX_LOCK_BYTES = 4 << 20
_KEYS = frozenset({"format", "python", "platforms", "requirements", "rules", "wheel"})
_WHEEL_KEYS = frozenset({"name", "version", "file", "sha256", "platforms"})
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")
_HEAD = """\
# The wheels that `cloacina-ctl package` vendors into the package of this project. Keep this file
# under version control. `cloacina-ctl package --upgrade-vendored` makes it anew.
"""


class LockedWheel(NamedTuple):
    """One wheel: ``name`` in its normal form, the file that it is, and for which platforms."""

    name: str
    version: str
    file: str
    sha256: Digest
    platforms: tuple[str, ...]

    @property
    def title(self) -> str:
        """Name and version, for people."""
        return f"{self.name} {self.version}"


class Lock(NamedTuple):
    """What was chosen, for one version of Python on some platforms, from which requirements.

    ``rules`` are what else of the project decided: where a distribution comes from, what limits
    versions, the lock of another tool.
    """

    python: str
    platforms: tuple[str, ...]
    requirements: tuple[str, ...]
    wheels: tuple[LockedWheel, ...]
    rules: tuple[str, ...] = ()

    def targets(self, requires: str | None) -> tuple[Target, ...]:
        """Return what it was made for, within what the project requires of Python."""
        return tuple(target_for(requires, self.python, one) for one in self.platforms)


def read_lock(root: str) -> Lock | None:
    """Return the lock of the project in ``root``, None where there is none.

    Raises ``Refused`` for one that cannot be read: it may be half of somebody's merge.
    """
    if not os.path.lexists(os.path.join(root, LOCK_FILE)):
        return None
    table = read_own_toml(root, LOCK_FILE, max_bytes=MAX_LOCK_BYTES)
    if table.get("format") != FORMAT:
        raise _bad(f"expected `format = {FORMAT}`, found: {table.get('format')}")
    _refuse_unknown(table, _KEYS)
    python, platforms = _text(table, "python"), _texts(table, "platforms")
    try:
        targets = [parse_target(python, platform) for platform in platforms]
    except UsageError as error:
        raise _bad(error.diagnostics[0].message) from error
    wheels = table.get("wheel", [])
    if not isinstance(wheels, list) or not targets:
        raise _bad("`wheel` must be a list of tables, and `platforms` name one")
    return Lock(
        python,
        tuple(target.platform for target in targets),
        _texts(table, "requirements"),
        tuple(sorted((_wheel(one, platforms) for one in wheels), key=_order)),
        _texts(table, "rules") if "rules" in table else (),
    )


def misfit(
    lock: Lock, requirements: tuple[str, ...], rules: tuple[str, ...], requires_python: str | None
) -> str | None:
    """Return why the lock is not the one of these requirements, None where it is."""
    added = sorted(set(requirements) - set(lock.requirements))
    gone = sorted(set(lock.requirements) - set(requirements))
    if added:
        return f"a requirement that it was not made from: {added[0]}"
    if gone:
        return f"it was made from a requirement that is gone: {gone[0]}"
    if lock.rules != rules:
        new = sorted(set(rules) - set(lock.rules))
        if new:
            return f"a rule that it was not made with: {new[0]}"
        return f"it was made with a rule that is gone: {min(set(lock.rules) - set(rules))}"
    if not accepts(requires_python, lock.python):
        return f"it is for Python {lock.python}, and the project for {requires_python}"
    return None


def lock_bytes(root: str) -> bytes | None:
    """Return what is in the lock of the project in ``root``, None where there is none."""
    path = os.path.join(root, LOCK_FILE)
    with (
        reported(path),
        contextlib.suppress(FileNotFoundError),
        open(open_own(root, LOCK_FILE), "rb") as file,
    ):
        return file.read(MAX_LOCK_BYTES + 1)
    return None


def write_lock(root: str, lock: Lock, found: bytes | None = None) -> None:
    """Write the lock beside the project; the old one is replaced in one step.

    ``found`` is what was in the file when the new one was chosen. Raises ``FileProblem`` (I012)
    where another run has written another lock since then.
    """
    data = dump_lock(lock)
    path = os.path.join(root, LOCK_FILE)
    while True:
        try:
            _write_instead(path, data, found)
        except FileProblem as error:
            if error.diagnostics[0].code is not Code.EXISTS:
                raise
            continue  # there was none, and now there is: look at it
        return


def _write_instead(path: str, data: bytes, found: bytes | None) -> None:
    if not os.path.lexists(path):
        if found is not None:
            raise changed_meanwhile(path)
        write_file(path, data)
        return
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open_to_replace(lambda: os.open(path, flags), path) as replaced:
        there = os.pread(replaced.fd, MAX_LOCK_BYTES + 1, 0)
        if there == data:
            return  # another run came to the same
        if there != found:
            raise changed_meanwhile(path)
        write_file(path, data, replaced=replaced)


def dump_lock(lock: Lock) -> bytes:
    """Return the lock as text, the same for the same lock."""
    lines = [
        _HEAD,
        f"format = {FORMAT}",
        f"python = {_quoted(lock.python)}",
        f"platforms = {_list(lock.platforms)}",
        f"requirements = {_list(lock.requirements)}",
    ]
    if lock.rules:
        lines.append(f"rules = {_list(lock.rules)}")
    for wheel in sorted(lock.wheels, key=_order):
        lines += ["", "[[wheel]]"]
        lines += [f"name = {_quoted(wheel.name)}", f"version = {_quoted(wheel.version)}"]
        lines += [f"file = {_quoted(wheel.file)}", f"sha256 = {_quoted(wheel.sha256)}"]
        if wheel.platforms != lock.platforms:
            lines.append(f"platforms = {_list(wheel.platforms)}")
    return ("\n".join(lines) + "\n").encode()


_order = attrgetter("name", "platforms", "file")


def _wheel(table: object, platforms: tuple[str, ...]) -> LockedWheel:
    if not isinstance(table, dict):
        raise _bad("`wheel` must be a list of tables")
    _refuse_unknown(table, _WHEEL_KEYS)
    name, version, file = (_text(table, key) for key in ("name", "version", "file"))
    if not names_a_wheel(file):
        raise _bad(f"not the name of a wheel: {file[:200]}")
    own_name, own_version, _, _ = parse_wheel_filename(file)
    if (own_name, canonicalize_version(own_version)) != (
        canonicalize_name(name),
        canonicalize_version(version),
    ):
        raise _bad(f"{name} {version} is not what this wheel is: {file}")
    try:
        sha256 = Digest.parse(_text(table, "sha256"))
    except Refused as error:
        raise _bad(f"{file}: {error.diagnostics[0].message}") from error
    own = _texts(table, "platforms") if "platforms" in table else platforms
    if not own or not set(own) <= set(platforms):
        raise _bad(f"{file} is for a platform that the lock is not for")
    return LockedWheel(str(own_name), str(own_version), file, sha256, own)


def _refuse_unknown(table: dict[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(set(table) - known)
    if unknown:
        raise _bad(f"no such key: {unknown[0]}")


def _text(table: dict[str, Any], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise _bad(f"`{key}` must be a text")
    return value


def _texts(table: dict[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key)
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _bad(f"`{key}` must be a list of texts")
    if value != sorted(set(value)):
        raise _bad(f"`{key}` must be sorted")
    return tuple(value)


def _bad(message: str) -> Refused:
    return Refused.of(
        Code.LOCK_FILE, message, where=LOCK_FILE,
        hint="delete it, or give --upgrade-vendored, to make it anew",
    )  # fmt: skip


def _list(values: tuple[str, ...]) -> str:
    if len(values) < 2:
        return f"[{', '.join(map(_quoted, values))}]"
    return "".join(["[\n", *(f"    {_quoted(value)},\n" for value in values), "]"])


def _quoted(text: str) -> str:
    """Return a TOML string; what a project calls its folders may hold any character."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_CONTROLS.sub(lambda one: f"{chr(92)}u{ord(one[0]):04x}", escaped)}"'
