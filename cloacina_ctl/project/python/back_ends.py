"""Reads the configuration of each build back end for the modules in its wheel.

It is read as text: no back end is started, and the effects of `setup.py` or a hook are unknown. The
back end is that of `[build-system]`; without that table, the one with a table of its own.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cloacina_ctl.project.detect import PYPROJECT_TOML
from cloacina_ctl.project.own_files import read_own_toml
from cloacina_ctl.project.python.layout import BuildLayout, SourcePart, leads_out, normal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Table = dict[str, Any]

_WILDCARDS = frozenset("*?[{")


def declared_layout(project: str) -> BuildLayout:
    """Return the layout in the build configuration of the project in the folder ``project``."""
    document = read_own_toml(project, PYPROJECT_TOML)
    read = _reader_of(document)
    return read(project, document) if read is not None else BuildLayout()


def _reader_of(document: Table) -> Callable[[str, Table], BuildLayout] | None:
    named = _inner(document, "build-system").get("build-backend")
    if isinstance(named, str):
        return next((read for start, _, read in _READERS if named.startswith(start)), None)
    if isinstance(document.get("build-system"), dict):
        return _setuptools
    found = [read for _, table, read in _READERS if _inner(document, "tool", *table)]
    return found[0] if len(found) == 1 else _setuptools


def _setuptools(project: str, document: Table) -> BuildLayout:
    from cloacina_ctl.project.python.setuptools_layout import read_setuptools

    layout = read_setuptools(project, _inner(document, "tool", "setuptools"))
    return layout._replace(namespaces=True)


def _hatch(project: str, document: Table) -> BuildLayout:
    general = _inner(document, "tool", "hatch", "build")
    table = {**general, **_inner(general, "targets", "wheel")}
    sources = dict(_hatch_sources(table.get("sources")))
    taken = [normal(one) for one in _texts(table, "only-include")]
    key = "only-include"
    packages = [normal(one) for one in _texts(table, "packages")]
    if packages and not taken:
        key, taken = "packages", packages
        sources.update({f"{above}/": "" for one in packages if (above := os.path.dirname(one))})
    unread: list[str] = []
    if not taken and "include" in table:
        key = "include"
        taken, unread = _literal(project, _texts(table, "include"))
    parts = [SourcePart(one, _hatch_target(one, sources)) for one in taken]
    for source, target in sources.items():
        inside = source.rstrip("/")
        if any(inside.startswith(f"{one}/") for one in taken):
            parts.append(SourcePart(inside, target.rstrip("/")))
    forced = _inner(table, "force-include")
    parts += [
        SourcePart(normal(one), normal(target)) for one, target in forced.items()
        if isinstance(target, str) and taken and target.endswith(".py") == one.endswith(".py")
    ]  # fmt: skip
    return BuildLayout(
        place=_place(f"tool.hatch.build.targets.wheel.{key}"),
        roots=tuple(sorted({one.rstrip("/") for one in sources if taken})) or ("",) * bool(taken),
        parts=tuple(parts),
        exclude=tuple(_texts(table, "exclude")),
        unread=tuple(unread),
    )


def _hatch_sources(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for one in value:
            if isinstance(one, str) and normal(one):
                yield f"{normal(one)}/", ""
    elif isinstance(value, dict):
        for one, target in value.items():
            if isinstance(target, str):
                yield (f"{normal(one)}/" if normal(one) else "", f"{normal(target)}/".lstrip("/"))


def _hatch_target(path: str, sources: dict[str, str]) -> str:
    for source, target in sources.items():
        if f"{path}/".startswith(source):
            return (target + f"{path}/"[len(source) :]).rstrip("/")
    return path


def _poetry(_project: str, document: Table) -> BuildLayout:
    table = _inner(document, "tool", "poetry")
    parts, roots, unread = [], set(), []
    for package in _tables(table, "packages"):
        formats = package.get("format", "wheel")
        if not (isinstance(formats, str | list) and "wheel" in formats) or not isinstance(
            package.get("include"), str
        ):
            continue
        root = normal(_text(package, "from"))
        literal = _literal_path(package["include"])
        if literal is None:
            unread.append(package["include"])
            continue
        target = normal(os.path.join(_text(package, "to"), literal))
        parts.append(SourcePart(normal(os.path.join(root, literal)), target))
        roots.add(root)
    return BuildLayout(
        place=_place("tool.poetry.packages"),
        roots=tuple(sorted(roots)),
        parts=tuple(parts),
        exclude=tuple(_anchored(table, "exclude")),
        unread=tuple(unread),
    )


def _pdm(project: str, document: Table) -> BuildLayout:
    table = _inner(document, "tool", "pdm", "build")
    declared = table.get("package-dir")
    usual = "src" if os.path.isdir(os.path.join(project, "src")) else ""
    root = normal(declared) if isinstance(declared, str) else usual
    taken, unread = _literal(project, _texts(table, "includes"))
    parts = [SourcePart(one, _within(one, root)) for one in taken]
    key = "includes" if parts else "package-dir"
    return BuildLayout(
        place=_place(f"tool.pdm.build.{key}"),
        roots=(root,) if parts or isinstance(declared, str) else (),
        parts=tuple(parts),
        exclude=tuple(_anchored(table, "excludes")),
        unread=tuple(unread),
    )


def _flit(project: str, document: Table) -> BuildLayout:
    name = _text(_inner(document, "tool", "flit", "module"), "name")
    if not name:
        return BuildLayout()
    base = name.replace(".", "/")
    places = [SourcePart(f"{root}{base}{end}", f"{base}{end}") for end in ("", ".py")
              for root in ("", "src/")]  # fmt: skip
    part = next((one for one in places if os.path.exists(os.path.join(project, one.source))), None)
    part = part or places[0]
    root = "src" if part.source.startswith("src/") and not base.startswith("src/") else ""
    return BuildLayout(_place("tool.flit.module"), roots=(root,), parts=(part,))


def _uv(_project: str, document: Table) -> BuildLayout:
    table = _inner(document, "tool", "uv", "build-backend")
    if not table:
        return BuildLayout()
    declared = table.get("module-root")
    root = normal(declared) if isinstance(declared, str) else "src"
    names = table.get("module-name")
    if names is None:
        names = _text(_inner(document, "project"), "name").lower().replace("-", "_")
        names = names.replace(".", "_")
    parts = []
    for name in names if isinstance(names, list) else [names]:
        base = str(name).replace(".", "/")
        parts.append(SourcePart(normal(os.path.join(root, base)), base))
    key = "module-name" if "module-name" in table else "module-root"
    return BuildLayout(
        place=_place(f"tool.uv.build-backend.{key}"),
        roots=(root,),
        parts=tuple(parts),
        exclude=tuple(
            one if one.startswith("/") else f"**/{one}"
            for key in ("source-exclude", "wheel-exclude") for one in _texts(table, key)
        ),
    )  # fmt: skip


def _maturin(project: str, document: Table) -> BuildLayout:
    table = _inner(document, "tool", "maturin")
    source = table.get("python-source")
    if not isinstance(source, str):
        return BuildLayout()
    root = normal(source)
    name = _text(table, "module-name") or _text(_inner(document, "project"), "name")
    top = name.partition(".")[0].replace("-", "_")
    parts = [
        SourcePart(f"{root}/{one}" if root else one, one)
        for one in dict.fromkeys((top, *_texts(table, "python-packages")))
        if os.path.isdir(os.path.join(project, root, one))
    ]
    return BuildLayout(
        place=_place("tool.maturin.python-source"),
        roots=(root,),
        parts=tuple(parts),
        exclude=tuple(_anchored(table, "exclude")),
    )


_READERS: tuple[tuple[str, tuple[str, ...], Callable[[str, Table], BuildLayout]], ...] = (
    ("setuptools", ("setuptools",), _setuptools),
    ("hatchling", ("hatch", "build"), _hatch),
    ("poetry", ("poetry",), _poetry),
    ("pdm", ("pdm", "build"), _pdm),
    ("flit", ("flit",), _flit),
    ("uv_build", ("uv", "build-backend"), _uv),
    ("maturin", ("maturin",), _maturin),
)


def _place(key: str) -> str:
    return f"{PYPROJECT_TOML}: {key}"


def _within(path: str, root: str) -> str:
    """Return a path relative to ``root``, if it lies in there."""
    return path[len(root) + 1 :] if root and f"{path}/".startswith(f"{root}/") else path


def _literal(project: str, patterns: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the folders and modules at the start of patterns, and patterns without one."""
    found: dict[str, None] = {}
    unread = []
    for pattern in patterns:
        path = _literal_path(pattern)
        if path is None or not os.path.exists(os.path.join(project, path)):
            unread.append(pattern)
        elif not leads_out(path) and (
            path.endswith(".py") or os.path.isdir(os.path.join(project, path))
        ):
            found[path] = None
    return list(found), unread


def _literal_path(pattern: str) -> str | None:
    """Return the path before the first wildcard of a pattern; None if there is none."""
    steps = normal(pattern.lstrip("/")).split("/")
    end = next((i for i, step in enumerate(steps) if _WILDCARDS & set(step)), len(steps))
    return "/".join(steps[:end]) or None


def _inner(table: object, *keys: str) -> Table:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else {}


def _text(table: Table, key: str) -> str:
    value = table.get(key)
    return value if isinstance(value, str) else ""


def _texts(table: Table, key: str) -> list[str]:
    value = table.get(key)
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _anchored(table: Table, key: str) -> Iterator[str]:
    """Yield patterns relative to the project's top, except those for another archive."""
    for one in [*_texts(table, key), *_tables(table, key)]:
        formats = one.get("format", "wheel") if isinstance(one, dict) else "wheel"
        path = one.get("path") if isinstance(one, dict) else one
        if isinstance(path, str) and isinstance(formats, str | list) and "wheel" in formats:
            yield f"/{path.lstrip('/')}"


def _tables(table: Table, key: str) -> list[Table]:
    value = table.get(key)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
