"""The target of vendored code: one version of Python on one platform, and the wheels for it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.platforms.baseline import oldest
from cloacina_ctl.platforms.elf.header import MACHINE_NAMES
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# The versions of Python that matter here.
PYTHONS = tuple(f"3.{minor}" for minor in range(9, 15))
# No version of Python has had this many patch releases: it stands for all future ones.
LAST_PATCH = 99
_PYTHON = re.compile(r"3\.(0|[1-9][0-9]?)")
_PLATFORM = re.compile(r"(?:(manylinux|musllinux)_([0-9]{1,2})_([0-9]{1,3})|linux)_([a-z0-9_]+)")
# The older names of three manylinux platforms (PEP 600).
_OLD_NAMES = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
# The platforms with a name in uv, beside musl.
_UV_MACHINES = ("x86_64", "aarch64")
_UV_MUSL = 2
_UV_FLOORS = (17, 28, *range(31, 41))
# A specifier or marker that depends on the patch release has numbers like this one.
_PATCH = re.compile(r"3\.[0-9]+\.([0-9]{1,2})(?![0-9])")


class PythonTarget(NamedTuple):
    """A version of Python such as ``3.11`` and a platform tag such as ``manylinux_2_28_x86_64``.

    The platform is that of the target machine: wheels for an older one fit as well. ``patches``
    are the first and the last patch release that it may have.
    """

    python: str
    platform: str
    patches: tuple[int, int] = (0, LAST_PATCH)

    @property
    def release(self) -> str:
        """The first release of Python that the target may have, such as ``3.11.7``."""
        first = self.patches[0]
        return f"{self.python}.{first}" if first else self.python

    @property
    def machine(self) -> str:
        """The processor: ``x86_64``."""
        return _parts(self.platform)[3]

    def platforms(self) -> tuple[str, ...]:
        """Return the platform tags of fitting wheels, the newest first."""
        family, major, floor, machine = _parts(self.platform)
        found = []
        if family == "manylinux":
            for minor in range(floor, min(floor, oldest(machine)[1]) - 1, -1):
                found.append(f"manylinux_{major}_{minor}_{machine}")
                if minor in _OLD_NAMES:
                    found.append(f"{_OLD_NAMES[minor]}_{machine}")
        elif family == "musllinux":
            found = [tag for _, tag in self.musl_releases()]
        return (*found, f"linux_{machine}")

    def musl_releases(self) -> tuple[tuple[int, str], ...]:
        """Return the releases of musl 1 of fitting wheels, the newest first.

        Each is its second number and its tag.
        """
        family, major, floor, machine = _parts(self.platform)
        if family != "musllinux":
            return ()
        return tuple(
            (minor, f"musllinux_{major}_{minor}_{machine}") for minor in range(floor, -1, -1)
        )

    def rank(self, tags: frozenset[Tag]) -> int | None:
        """Return how well a wheel with these tags fits, 0 best; None if it does not fit."""
        ranks = _ranks(self)
        return min((ranks[tag] for tag in tags if tag in ranks), default=None)

    def tags(self) -> tuple[Tag, ...]:
        """Return the tags of fitting wheels, best first."""
        ranks = _ranks(self)
        return tuple(sorted(ranks, key=ranks.__getitem__))

    def environments(self, *texts: str) -> Iterator[dict[str, str]]:
        """Yield the marker environment of each patch release that may differ from its neighbors.

        ``texts`` are the specifiers and markers that may depend on the patch release; without any
        only the first and the last are yielded.
        """
        first, last = self.patches
        for patch in patch_edges(*texts):
            if first < patch < last:
                yield self._environment(patch)
        yield from (self._environment(patch) for patch in sorted({first, last}))

    def _environment(self, patch: int) -> dict[str, str]:
        full = f"{self.python}.{patch}"
        return {
            "implementation_name": "cpython",
            "implementation_version": full,
            "os_name": "posix",
            "platform_machine": self.machine,
            "platform_python_implementation": "CPython",
            "platform_release": "",
            "platform_system": "Linux",
            "platform_version": "",
            "python_full_version": full,
            "python_version": self.python,
            "sys_platform": "linux",
        }

    def pip_options(self) -> tuple[str, ...]:
        """Return the options of pip for this target's wheels."""
        compact = self.python.replace(".", "")
        options = ["--implementation=cp", f"--python-version={self.release}", f"--abi=cp{compact}"]
        options += ["--abi=abi3", "--abi=none"]
        return (*options, *(f"--platform={platform}" for platform in self.platforms()))

    def uv_platform(self) -> str | None:
        """Return uv's name for the platform, None if it has none."""
        family, _, floor, machine = _parts(self.platform)
        if machine not in _UV_MACHINES or not family:
            return None
        if family == "musllinux":
            return f"{machine}-unknown-linux-musl" if floor >= _UV_MUSL else None
        known = max((one for one in _UV_FLOORS if one <= floor), default=None)
        return None if known is None else f"{machine}-manylinux_2_{known}"


def parse_target(python: str, platform: str) -> PythonTarget:
    """Return the target, or raise ``UsageError`` for an invalid name."""
    if _PYTHON.fullmatch(python) is None:
        raise UsageError.of(
            Code.USAGE, f"expected a version of Python such as 3.11, found: {python[:40]}"
        )
    for minor, old in _OLD_NAMES.items():
        if platform.startswith(f"{old}_"):
            platform = f"manylinux_2_{minor}_{platform[len(old) + 1 :]}"
    parts = _PLATFORM.fullmatch(platform)
    if parts is None or (parts[1] == "manylinux" and parts[2] != "2"):
        raise UsageError.of(
            Code.USAGE,
            f"not a platform that code is vendored for: {platform[:80]}",
            hint="such as manylinux_2_28_x86_64, musllinux_1_2_aarch64",
        )
    return PythonTarget(python, platform)


def parse_asked(python: str, platform: str) -> PythonTarget:
    """Return the target that a user requests, or raise ``UsageError``.

    Also (B016) for a machine whose libraries cannot be read: code cannot be vendored for it.
    """
    target = parse_target(python, platform)
    if target.machine not in MACHINE_NAMES:
        raise UsageError.of(
            Code.UNREAD_MACHINE,
            f"libraries for {target.machine[:40]} cannot be read: {platform[:80]}",
            hint=f"libraries for these machines can be read: {', '.join(MACHINE_NAMES)}",
        )
    return target


def patch_edges(*texts: str) -> tuple[int, ...]:
    """Return the patch releases of any Python at which specifiers or markers may change.

    Between two consecutive ones nothing changes.
    """
    found = {0, LAST_PATCH}
    for text in texts:
        for number in map(int, _PATCH.findall(text)):
            found |= {number - 1, number, number + 1}
    return tuple(sorted(one for one in found if 0 <= one <= LAST_PATCH))


@lru_cache(maxsize=256)
def patches(specifier: str | None, python: str) -> tuple[int, int] | None:
    """Return the first and the last patch release of ``python`` that a specifier accepts.

    None if it accepts none of them; no specifier accepts all.
    """
    if not specifier:
        return (0, LAST_PATCH)
    taken = [patch for patch in patch_edges(specifier) if takes(specifier, f"{python}.{patch}")]
    return (taken[0], taken[-1]) if taken else None


@lru_cache(maxsize=4096)
def takes(specifier: str | None, release: str) -> bool:
    """Return whether a specifier accepts a release of Python, such as ``3.11.7``."""
    return not specifier or SpecifierSet(specifier).contains(release, prereleases=True)


def accepts(specifier: str | None, python: str) -> bool:
    """Return whether a specifier accepts some release of ``python``; no specifier accepts all."""
    return patches(specifier, python) is not None


def accepted_pythons(specifier: str | None) -> Iterator[str]:
    """Yield the versions of Python that a specifier accepts."""
    return (python for python in PYTHONS if accepts(specifier, python))


def accepted_minors(specifier: str | None, last: int) -> list[int]:
    """Return the minor versions of Python 3, from 3.10 up to ``last``, that a specifier accepts."""
    return [minor for minor in range(10, last + 1) if accepts(specifier, f"3.{minor}")]


def target_for(requires: str | None, python: str, platform: str) -> PythonTarget:
    """Return the target within the project's `requires-python`.

    If that accepts no release of ``python``, all count: the caller reports it.
    """
    return PythonTarget(python, platform, patches(requires, python) or (0, LAST_PATCH))


def _parts(platform: str) -> tuple[str, int, int, str]:
    match = _PLATFORM.fullmatch(platform)
    if match is None:
        raise TypeError(f"not parsed: {platform}")
    return match[1] or "", int(match[2] or 0), int(match[3] or 0), match[4]


@lru_cache(maxsize=64)
def _ranks(target: PythonTarget) -> dict[Tag, int]:
    major, minor = target.python.split(".")
    version = (int(major), int(minor))
    name, platforms = f"cp{major}{minor}", target.platforms()
    tags = [
        *cpython_tags(version, [name], platforms),
        *compatible_tags(version, name, platforms),
    ]
    return {tag: rank for rank, tag in reversed(list(enumerate(tags)))}
