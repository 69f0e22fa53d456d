"""Reads the project's settings for choosing versions, beside its dependencies: `[tool.uv]`.

Each is honored or refused: the author never tested the versions that result without a setting.
PDM's settings are refused; Poetry has none. `[tool.uv.pip]` is for another command of uv.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from cloacina_ctl.errors import Code, Diagnostic, Refused
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.declared.requirements import is_unsafe, spelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.vendoring.declared.workspace import Document, UvWorkspace

# String settings that `uv pip compile` takes as options of the same name, and the value that is
# pip's default, if any.
_TEXTS = {
    "prerelease": "if-necessary-or-explicit",
    "resolution": "highest",
    "exclude-newer": None,
    "index-strategy": None,
}
_REFUSED = ("dependency-metadata", "exclude-newer-package", "no-binary")
_NEVER = "python_version < '0'"
_PDM = (("resolution", "overrides"), ("resolution", "excludes"))


class InstallerSettings(NamedTuple):
    """Settings for uv and pip. ``constraints`` and ``overrides`` are normalized requirements.

    ``options`` are for uv; ``uv_only`` are the settings that pip does not support.
    ``sources_only`` are distributions that the project does not take as wheels.
    """

    place: str = ""
    constraints: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    uv_only: tuple[str, ...] = ()
    sources_only: frozenset[str] = frozenset()


def read_settings(workspace: UvWorkspace | None) -> InstallerSettings:
    """Return the effective settings, or raise ``Refused`` for unreadable ones.

    uv reads only those of the workspace's root.
    """
    if workspace is None:
        return InstallerSettings()
    place, table = workspace.root.uv[0]
    excluded = [f"{name}; {_NEVER}" for name in _names(table, "exclude-dependencies", place)]
    overrides = (*_requirements(table, "override-dependencies", place), *excluded)
    options = tuple(_options(table, place))
    return InstallerSettings(
        place=place,
        constraints=tuple(_requirements(table, "constraint-dependencies", place)),
        overrides=overrides,
        options=options,
        uv_only=tuple(_uv_only(table, overrides)),
        sources_only=frozenset(_names(table, "no-binary-package", place)),
    )


def refuse_unkept(workspace: UvWorkspace | None) -> None:
    """Raise ``Refused`` for a setting that cannot be passed to uv or pip here.

    Not called if the project has a lock: that was made with the setting, and nothing is chosen.
    """
    documents = (workspace.root,) if workspace is not None else ()
    problems = [one for document in documents for one in _unkept(document)]
    if problems:
        raise Refused(*problems)


def _unkept(document: Document) -> Iterator[Diagnostic]:
    place, uv = document.uv[0]
    pdm = document.inner("tool", "pdm")
    found = [(place, key, "`uv lock`") for key in _REFUSED if uv.get(key)]
    export = "`pdm export -f pylock -o pylock.toml`"
    found += [
        (f"{document.place}: [tool.pdm]", ".".join(keys), export)
        for keys in _PDM
        if _deep(pdm, keys)
    ]
    for where, key, command in found:
        yield Diagnostic(
            Code.RESOLVER_SETTING,
            f"`{key}` cannot be kept when versions are chosen for vendoring",
            where,
            f"lock the dependencies, so that nothing is chosen: {command}",
        )


def _deep(table: dict[str, Any], keys: tuple[str, ...]) -> object:
    found: object = table
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def only_uv(settings: InstallerSettings, *, pip_knows: bool) -> Refused | None:
    """Return the error for settings that need uv; None if pip is sufficient.

    ``pip_knows`` is whether pip chooses because an index is configured for pip only.
    """
    if not settings.uv_only:
        return None
    why = "an index is configured for pip only" if pip_knows else "uv cannot be used here"
    remedy = "name the index for uv, too: UV_DEFAULT_INDEX" if pip_knows else "install uv"
    return Refused.of(
        Code.RESOLVER_SETTING,
        f"only uv supports `{settings.uv_only[0]}`, and {why}",
        where=settings.place,
        hint=f"{remedy}; or lock the dependencies with uv: `uv lock`",
    )


def _options(table: dict[str, Any], place: str) -> Iterator[str]:
    for key in _TEXTS:
        value = table.get(key)
        if value is None:
            continue
        if not isinstance(value, str) or is_unsafe(value):
            raise _bad(f"`{key}` must be a string", place)
        yield f"--{key}={value}"


def _uv_only(table: dict[str, Any], overrides: tuple[str, ...]) -> Iterator[str]:
    if overrides:
        yield (
            "override-dependencies"
            if table.get("override-dependencies")
            else ("exclude-dependencies")
        )
    for key, usual in _TEXTS.items():
        if table.get(key) not in (None, usual):
            yield key


def _requirements(table: dict[str, Any], key: str, place: str) -> Iterator[str]:
    for text in _texts(table, key, place):
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise _bad(f"`{key}` has an entry that is not a requirement: {text}", place) from error
        if requirement.url is not None or is_unsafe(text):
            raise _bad(f"`{key}` has more than a name and versions: {text}", place)
        yield spelled(requirement)


def _names(table: dict[str, Any], key: str, place: str) -> Iterator[str]:
    return (str(canonicalize_name(text)) for text in _texts(table, key, place))


def _texts(table: dict[str, Any], key: str, place: str) -> list[str]:
    values = table.get(key, [])
    if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
        raise _bad(f"`{key}` must be a list of strings", place)
    return values


def _bad(message: str, place: str) -> Refused:
    return Refused.of(
        Code.RESOLVER_SETTING, message, where=place,
        hint="docs/vendoring.md lists the supported settings of [tool.uv]",
    )  # fmt: skip
