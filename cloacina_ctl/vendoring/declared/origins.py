"""The origin of a distribution as a project states it: a folder, workspace, git, URL or index.

A distribution with such an origin is never taken from anywhere else: an attacker who registers its
name on a public index would choose what is packed. ``origin_tables`` reads these values.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from packaging.markers import Marker
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from cloacina_ctl.errors import Code, Diagnostic, FileProblem, Refused
from cloacina_ctl.project.detect import PYPROJECT_TOML
from cloacina_ctl.toml import read_toml
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from packaging.requirements import Requirement

    from cloacina_ctl.vendoring.target import PythonTarget

PATH, WORKSPACE, GIT, URL, INDEX, OTHER = "path", "workspace", "git", "url", "index", "other"
# The public index, the default of all tools.
PYPI = ("https://pypi.org/simple", "https://pypi.python.org/simple")
# Kinds for which a lock of the project may have a wheel with its digest.
LOCKABLE = frozenset({INDEX, URL})
_USER = re.compile(r"(?<=//)[^/@]*@")
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")


class Origin(NamedTuple):
    """The origin of one distribution. ``name`` is in its normal form.

    ``location`` is for messages and holds no password; ``place`` is the table that states it.
    ``marker`` and ``extra`` are the conditions under which it applies. ``path`` is the absolute
    path of the named folder or wheel, ``url`` that of an index; None if there is none.
    """

    name: str
    kind: str
    location: str
    place: str
    marker: str | None = None
    extra: str | None = None
    path: str | None = None
    url: str | None = None

    @property
    def text(self) -> str:
        """The normalized origin, as the lock has it."""
        return f"{self.name} from {self.kind} {self.location}"

    @property
    def words(self) -> str:
        """The origin for messages."""
        if self.kind == WORKSPACE and self.path is None:
            return "the workspace, which has no such member"
        return f"the index {self.location}" if self.kind == INDEX else self.location

    @property
    def wheel(self) -> str | None:
        """The wheel that the project names; None if the origin is something else."""
        return self.path if self.path is not None and self.path.endswith(".whl") else None

    def applies(self, target: PythonTarget, extras: frozenset[str] = frozenset()) -> bool:
        """Return whether it applies on any patch release of ``target``."""
        if self.extra is not None and self.extra not in extras:
            return False
        if self.marker is None:
            return True
        try:
            marker = Marker(self.marker)
            return any(map(marker.evaluate, target.environments(self.marker)))
        except ValueError:
            return True  # an unreadable condition is not ignored


class ProjectIndex(NamedTuple):
    """An index that the project names for all its dependencies."""

    title: str
    place: str


class Origins(NamedTuple):
    """All origins that a project states for its dependencies."""

    named: tuple[Origin, ...] = ()
    indexes: tuple[ProjectIndex, ...] = ()

    def on(self, target: PythonTarget, extras: frozenset[str] = frozenset()) -> dict[str, Origin]:
        """Return the origins that apply on ``target``, by name."""
        return {one.name: one for one in self.named if one.applies(target, extras)}


def without_user(url: str) -> str:
    """Return the URL without user and password."""
    return _USER.sub("", url)


def direct_origin(requirement: Requirement, root: str, place: str) -> Origin:
    """Return the origin that a direct reference (`name @ URL`) names."""
    url = requirement.url or ""
    name = str(canonicalize_name(requirement.name))
    marker = str(requirement.marker) if requirement.marker else None
    path = local_path(url)
    if path is not None:
        location = os.path.relpath(os.path.join(root, path), root)
        return Origin(name, PATH, location, place, marker, path=os.path.join(root, path))
    kind = GIT if url.startswith("git+") else URL
    return Origin(name, kind, without_user(url), place, marker)


def local_path(url: str) -> str | None:
    """Return the path that a URL names; hatch's `{root:uri}` is the project's folder."""
    if url.startswith("{root:uri}"):
        return url.removeprefix("{root:uri}").lstrip("/") or "."
    if not url.startswith("file:"):
        return None
    path = url.removeprefix("file:").partition("#")[0]
    if path.startswith("//"):
        path = "/" + path[2:].partition("/")[2]
    return os.fsdecode(_ESCAPED.sub(lambda one: bytes.fromhex(one[1].decode()), path.encode()))


def hint_for(origin: Origin) -> str:
    """Return the hint that says how to get its wheel and name it."""
    name, location = origin.name, origin.location
    how = {
        PATH: f"build its wheel: `uv build --wheel -o DIR {location}`",
        WORKSPACE: f"build its wheel: `uv build --wheel -o DIR {location}`",
        GIT: f'build its wheel: `pip wheel --no-deps -w DIR "{name} @ {location}"`',
        URL: f"fetch or build its wheel: `pip wheel --no-deps -w DIR {location}`",
        INDEX: f"fetch its wheel there: `pip download --no-deps -d DIR --index-url URL {name}`",
        OTHER: "build its wheel into a folder DIR",
    }[origin.kind]
    lock = ", or lock it with `uv lock`" if origin.kind in LOCKABLE else ""
    return f"{how}; then name it: `--vendor-source {name}=DIR`{lock}"


def unavailable(origin: Origin) -> Diagnostic:
    """Return the error for a distribution with an origin and no given wheel."""
    return Diagnostic(
        Code.NAMED_SOURCE,
        f"`{origin.name}` comes from {origin.words}, and no wheel of it is given",
        origin.place,
        hint_for(origin),
    )


def contradiction(origin: Origin) -> Diagnostic | None:
    """Return the problem of the folder that an origin names, None if there is none."""
    try:
        declared_version(origin)
    except Refused as error:
        return error.diagnostics[0]
    return None


def check_version(origin: Origin, version: str, file: str) -> None:
    """Raise ``Refused`` if a wheel's version differs from the one that its folder states.

    A folder that is missing or states no version proves nothing.
    """
    said = declared_version(origin)
    if said is not None and said != version:
        raise Refused.of(
            Code.SOURCE_WHEEL,
            f"the wheel is {origin.name} {version}, and {origin.location} says {said}",
            where=file,
            hint=hint_for(origin),
        )


def declared_version(origin: Origin) -> str | None:
    """Return the version that the origin's folder states; raise if it is another project."""
    if origin.path is None or origin.wheel is not None or "\0" in origin.path:
        return None
    path = os.path.join(origin.path, PYPROJECT_TOML)
    where = os.path.join(origin.location, PYPROJECT_TOML)
    try:
        table = read_toml(path, where=where).get("project")
    except FileProblem:
        return None
    if not isinstance(table, dict):
        return None
    name, version = table.get("name"), table.get("version")
    if isinstance(name, str) and canonicalize_name(name) != origin.name:
        raise Refused.of(
            Code.SOURCE_WHEEL,
            f"{origin.place} takes `{origin.name}` from this folder, which is `{name}`",
            where=where,
            hint="name the folder of the intended project",
        )
    try:
        return str(Version(version)) if isinstance(version, str) else None
    except InvalidVersion:
        return None
