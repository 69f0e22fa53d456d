"""Reads the project's existing lock: `pylock.toml` (PEP 751), else `uv.lock`.

It decides versions and digests: the packed versions are those that the author tested. A lock
without a required distribution is out of date, which is an error; nothing else is chosen then.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name, parse_wheel_filename

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.formats.wheel.reader import names_a_wheel
from cloacina_ctl.project.own_files import read_own_toml
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cloacina_ctl.vendoring.declared.origins import Origin
    from cloacina_ctl.vendoring.target import PythonTarget

MAX_LOCK_BYTES = 32 << 20
_URL = re.compile(r"https?://[^\s#${}\\\"'<>\x00-\x20\x7f]+")
_HEX = re.compile(r"[0-9a-f]{64}")


class LockedFile(NamedTuple):
    """A wheel as a lock names it. ``url`` is its address, ``path`` its path on this machine."""

    file: str
    sha256: Digest
    url: str | None = None
    path: str | None = None


class LockedVersion(NamedTuple):
    """A distribution that a lock has for a target, with its wheels.

    ``registry`` is its index, if the lock states it; ``origin`` its folder or repository, for
    which no lock has a file.
    """

    name: str
    version: str
    files: tuple[LockedFile, ...] = ()
    registry: str | None = None
    origin: Origin | None = None

    def best(self, target: PythonTarget) -> LockedFile | None:
        """Return the wheel that fits the target best, None if none fits."""
        ranked = [
            (rank, one.file, one)
            for one in self.files
            if (rank := target.rank(parse_wheel_filename(one.file)[3])) is not None
        ]
        return min(ranked)[2] if ranked else None


class ProjectLock(ABC):
    """A lock that was read. ``place`` is its file, ``renewal`` the hint that says how to renew it.

    ``table`` is the content of the file, ``code`` that of its problems.
    """

    renewal = "renew it with the tool that made it"
    code = Code.PROJECT_LOCK

    def __init__(self, path: str, place: str) -> None:
        """Read the table; raise ``Refused`` for invalid TOML, and for a link."""
        self.place = place
        folder, name = os.path.split(path)
        try:
            self.table: dict[str, Any] = read_own_toml(folder, name, max_bytes=MAX_LOCK_BYTES)
        except Refused as error:
            raise self.problem(error.diagnostics[0].message) from error

    @abstractmethod
    def select(self, target: PythonTarget) -> Mapping[str, LockedVersion]:
        """Return its versions for ``target``, by name. Raises ``Refused`` if it is ambiguous."""

    def problem(self, message: str) -> Refused:
        """Return the error for a lock that does not decide."""
        return Refused.of(self.code, message, where=self.place, hint=self.renewal)

    def by_name(
        self, versions: Iterable[LockedVersion], target: PythonTarget
    ) -> dict[str, LockedVersion]:
        """Return the versions by name, or raise ``Refused`` if one name has two."""
        found: dict[str, LockedVersion] = {}
        for one in versions:
            if found.setdefault(one.name, one).version != one.version:
                raise self.problem(f"two versions of {one.name} for Python {target.python}")
        return found


def locked_file(file: str, sha256: object, url: str | None, path: str | None) -> LockedFile | None:
    """Return a wheel of a lock; None if it cannot be compared or downloaded safely.

    A URL goes into a file for pip, where `${NAME}` and blanks have a meaning.
    """
    text = sha256 if isinstance(sha256, str) else ""
    if not names_a_wheel(file) or _HEX.fullmatch(text) is None:
        return None
    safe = url if url is not None and _URL.fullmatch(url) else None
    return LockedFile(file, Digest(text), safe, path)


def same_index(one: str, other: str) -> bool:
    """Return whether two texts name the same index."""
    return one.rstrip("/") == other.rstrip("/")


def file_of_url(url: str) -> str:
    """Return the name of the file in a URL."""
    return url.partition("#")[0].partition("?")[0].rpartition("/")[2].replace("%2B", "+")


def normal(name: object) -> str:
    """Return a name in its normal form; the empty name if it is not a string."""
    return str(canonicalize_name(name)) if isinstance(name, str) else ""
