"""Finds the packages that setuptools packs, from `[tool.setuptools]` and `setup.cfg`."""

from __future__ import annotations

import fnmatch
import os
from typing import TYPE_CHECKING, Any

from cloacina_ctl.project.detect import PYPROJECT_TOML
from cloacina_ctl.project.own_files import read_own_text
from cloacina_ctl.project.python.layout import (
    NOT_PACKAGES,
    BuildLayout,
    SourcePart,
    leads_out,
    normal,
)
from cloacina_ctl.project.selection.exclusions import deny_folder
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

SETUP_CFG = "setup.cfg"


class _Options(NamedTuple):
    """The options of both files, in one form; ``find`` is None without a search for packages."""

    place: str
    folders: dict[str, str]
    packages: tuple[str, ...] | None = None
    modules: tuple[str, ...] = ()
    find: _Find | None = None


class _Find(NamedTuple):
    """The options of the search for packages."""

    where: tuple[str, ...]
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    namespaces: bool


def read_setuptools(project: str, table: dict[str, Any]) -> BuildLayout:
    """Return the configuration of setuptools; pyproject.toml takes precedence over setup.cfg."""
    options = _from_pyproject(table) or _from_setup_cfg(project)
    if options is None:
        return BuildLayout()
    if options.packages is None and options.find is None and not options.modules:
        root = options.folders.get("")
        return BuildLayout() if root is None else BuildLayout(options.place, roots=(root,))
    packages = dict(_packages(project, options))
    root = options.folders.get("", "")
    modules = [
        SourcePart(normal(os.path.join(root, f"{path}.py")), f"{path}.py")
        for path in (name.replace(".", "/") for name in options.modules)
    ]
    where = options.find.where if options.find is not None else (root,)
    return BuildLayout(
        place=options.place,
        roots=tuple(dict.fromkeys(where)),
        parts=(*_parts(packages), *modules),
        exclude=tuple(_not_listed(project, packages)),
    )


def _from_pyproject(table: dict[str, Any]) -> _Options | None:
    packages, folders = table.get("packages"), table.get("package-dir")
    modules = table.get("py-modules")
    if packages is None and folders is None and modules is None:
        return None
    find = packages.get("find") if isinstance(packages, dict) else None
    key = "packages.find" if find is not None else "packages" if packages else "package-dir"
    return _Options(
        place=f"{PYPROJECT_TOML}: tool.setuptools.{key}",
        folders=_folders(folders.items() if isinstance(folders, dict) else ()),
        packages=_texts(packages) if isinstance(packages, list) else None,
        modules=_texts(modules),
        find=None if not isinstance(find, dict) else _Find(
            where=tuple(map(normal, _texts(find.get("where")) or ("",))),
            include=_texts(find.get("include")) or ("*",),
            exclude=_texts(find.get("exclude")),
            namespaces=find.get("namespaces") is not False,
        ),
    )  # fmt: skip


def _from_setup_cfg(project: str) -> _Options | None:
    if not os.path.lexists(os.path.join(project, SETUP_CFG)):
        return None
    import configparser

    text = read_own_text(project, SETUP_CFG).decode("utf-8", "replace")
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return None  # setuptools refuses it as well
    options = parser["options"] if parser.has_section("options") else {}
    packages = (options.get("packages") or "").strip()
    folders = _folders(
        tuple(map(str.strip, line.split("=", 1)))
        for line in _lines(options.get("package_dir")) if "=" in line
    )  # fmt: skip
    modules = tuple(_lines(options.get("py_modules")))
    if not (packages or folders or modules):
        return None
    find = None
    if packages in ("find:", "find_namespace:"):
        section = "options.packages.find"
        said = parser[section] if parser.has_section(section) else {}
        find = _Find(
            where=(normal(said.get("where") or folders.get("", "")),),
            include=tuple(_lines(said.get("include"))) or ("*",),
            exclude=tuple(_lines(said.get("exclude"))),
            namespaces=packages == "find_namespace:",
        )
    listed = tuple(_lines(packages)) if packages and find is None else None
    return _Options(f"{SETUP_CFG}: [options]", folders, listed, modules, find)


def _lines(value: str | None) -> Iterator[str]:
    for line in (value or "").replace(",", "\n").splitlines():
        if line.strip():
            yield line.strip()


def _folders(pairs: Any) -> dict[str, str]:  # noqa: ANN401 - two kinds of pairs
    return {str(name): normal(path) for name, path in pairs if isinstance(path, str)}


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        return ()
    return tuple(one for one in value if isinstance(one, str))


def _packages(project: str, options: _Options) -> Iterator[tuple[str, str]]:
    """Yield each package with its folder."""
    if options.find is None:
        for name in options.packages or ():
            yield name, _folder_of(name, options.folders)
        return
    find = options.find
    for where in find.where:
        if not leads_out(where):
            for name, path in _found(project, where, find):
                own = _folder_of(name, options.folders)
                yield name, own if name.split(".")[0] in options.folders else path


def _folder_of(package: str, folders: dict[str, str]) -> str:
    """Return the folder of a package, by its longest prefix in ``package_dir``."""
    steps = package.split(".")
    rest: list[str] = []
    while steps:
        known = folders.get(".".join(steps))
        if known is not None:
            return "/".join([*filter(None, [known]), *rest])
        rest.insert(0, steps.pop())
    return "/".join([*filter(None, [folders.get("", "")]), *rest])


def _found(project: str, where: str, find: _Find) -> Iterator[tuple[str, str]]:
    """Yield the packages under ``where`` as setuptools finds them: patterns over dotted names."""
    top = os.path.join(project, where)
    for base, folders, _ in os.walk(top):
        kept = []
        for name in sorted(folders):
            path = os.path.relpath(os.path.join(base, name), top).replace(os.sep, "/")
            package = path.replace("/", ".")
            if "." in name or deny_folder(name) is not None or _is_none(where, path, find):
                continue
            if not find.namespaces and not os.path.isfile(os.path.join(base, name, "__init__.py")):
                continue
            kept.append(name)
            if _matches(package, find.include) and not _matches(package, find.exclude):
                yield package, f"{where}/{path}" if where else path
        folders[:] = kept


def _is_none(where: str, path: str, find: _Find) -> bool:
    return not where and find.include == ("*",) and path in NOT_PACKAGES


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _parts(packages: dict[str, str]) -> Iterator[SourcePart]:
    """Yield the outermost packages, which include all in them."""
    for name, folder in packages.items():
        above, _, last = name.rpartition(".")
        if above not in packages or f"{packages[above]}/{last}" != folder:
            yield SourcePart(folder, name.replace(".", "/"))


def _not_listed(project: str, packages: dict[str, str]) -> Iterator[str]:
    """Yield patterns for the folders with modules in listed packages that are not listed."""
    known = set(packages.values())
    for part in _parts(packages):
        for base, folders, files in os.walk(os.path.join(project, part.source)):
            folders.sort()
            path = os.path.relpath(base, project).replace(os.sep, "/")
            if path in known or not any(name.endswith(".py") for name in files):
                continue
            inside = any(one.startswith(f"{path}/") for one in known)
            yield f"/{path}/*.py" if inside else f"/{path}/"
