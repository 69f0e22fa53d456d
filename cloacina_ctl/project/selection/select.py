"""Selects the files of a project to pack, with the reasons why others are left out.

A function of the work tree alone: of the files that are there, the ignore rules of the repository
among them, and the project's configuration; never of the user's git configuration, of what git
tracks, of the order in which a folder is listed. Who wins, from the strongest:

1. ``exclude`` of the configuration;
2. ``include`` with the exact path of a file;
3. what is never packed: secrets, caches, packages (``denied``);
4. ``include`` with a pattern;
5. of a crate ``include`` or ``exclude`` in ``[package]`` of its Cargo.toml, as cargo reads them;
6. ignore rules, the nearest first, up to the top of git's work tree, and what is no part of the
   packed packages.

A link, or anything that is neither file nor folder, is refused where it would be packed: a
package holds files alone, and what a link points to need not be the project's to give. With `links`
of the configuration it is packed as what it leads to in the project or its repository (``links``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused, first_of
from cloacina_ctl.formats import layout
from cloacina_ctl.project.detect import VENDOR_LOCK
from cloacina_ctl.project.model import PackedList, ProjectLayout
from cloacina_ctl.project.selection.links import CONTENTS
from cloacina_ctl.project.selection.walk import TreeRules, select_tree

if TYPE_CHECKING:
    from cloacina_ctl.project.model import Project, PythonFacts, Selection

_TOOL_FILES = {
    layout.PACKAGE_TOML: "the resolved one takes its place",
    "cloacina.toml": "the configuration of this tool",
    "pyproject.toml": "the configuration of tools",
    VENDOR_LOCK: "the lock of vendored wheels",
}
# What a reader would take for something else than a project's file.
_RESERVED = (*layout.HEAD_MEMBERS, layout.SOURCE, layout.PLATFORM_FOLDER.rstrip("/"))
_MOST_SHOWN = 5
_CRATE_FOLDERS = {"target": "what cargo built"}
_CARGO_FOLDERS = {".cargo": "settings of cargo, for the machine that they are on"}


def select_files(project: Project) -> Selection:
    """Return the files of a Python project to pack, under the paths of a package.

    Raises ``Refused`` with everything that cannot be packed, or if nothing is left.
    """
    facts = project.python
    if facts is None:
        return select_source(project)
    if project.layout is ProjectLayout.PYTHON_TREE:
        rules = TreeRules(left_out=_tool_files(project), reserved=_RESERVED)
    else:
        rules = TreeRules(
            moves=_moves(facts),
            parts=_parts(facts),
            bases=frozenset(facts.roots),
            reserved=(*_RESERVED, layout.PACKAGE_TOML),
            build_exclude=facts.build_exclude,
        )
    return _select(project, rules, facts.entry_path)


def select_source(project: Project) -> Selection:
    """Return the files of a crate's source, under ``source/``."""
    facts = project.rust
    rules = crate_rules(facts.crate.packed_list if facts is not None else PackedList())
    return _select(project, rules, None)


def crate_rules(listed: PackedList) -> TreeRules:
    """Return the rules for the files of a crate, which go under ``source/``."""
    from cloacina_ctl.project.selection.cargo_listing import package_list

    return TreeRules(
        moves=(("", layout.SOURCE_FOLDER),),
        left_out=_CRATE_FOLDERS,
        left_out_names=_CARGO_FOLDERS,
        listed=package_list(listed),
    )


def _select(project: Project, rules: TreeRules, entry: str | None) -> Selection:
    config = project.config
    selection = select_tree(
        project.root,
        rules._replace(
            include=config.include, exclude=config.exclude, follows=config.links == CONTENTS
        ),
        lambda path, packed: _reason(path, packed, entry),
    )
    if not selection.files:
        raise _nothing(project, selection)
    return selection


def _nothing(project: Project, selection: Selection) -> Refused:
    """Return the refusal of a project without files: it says why, for no list can be shown."""
    reasons = [f"{one.path} ({one.reason})" for one in selection.left_out]
    some = first_of(reasons, _MOST_SHOWN)
    hint = "name what belongs to it: `include = [...]` in the configuration"
    if project.layout is ProjectLayout.PYTHON:
        hint = 'name the folder that holds its modules: `source_root = "FOLDER"` in [tool.cloacina]'
    said = f"no file of the project gets packed; left out: {some}" if some else "an empty folder"
    return Refused.of(Code.NOTHING_TO_PACK, said, where=project.root, hint=hint)


def _tool_files(project: Project) -> dict[str, str]:
    """Return what of a tree is for tools alone; its wheelhouse is, where it lies in it."""
    wheelhouse = project.config.wheelhouse
    if wheelhouse is None:
        return _TOOL_FILES
    return {**_TOOL_FILES, wheelhouse.removeprefix("./").rstrip("/"): "the wheelhouse"}


def _moves(facts: PythonFacts) -> tuple[tuple[str, str], ...]:
    """Return which prefix of a project's paths becomes which prefix in the package.

    All paths keep their position relative to the modules that may read them.
    """
    found = {layout.VENDOR_FOLDER: layout.VENDOR_FOLDER}
    for part in facts.parts:
        end = "" if part.target.endswith(".py") else "/"
        found[part.source + end] = layout.WORKFLOW_FOLDER + part.target + end
    for root in filter(None, facts.roots):
        found.setdefault(root + "/", layout.WORKFLOW_FOLDER)
    return (*found.items(), ("", layout.WORKFLOW_FOLDER if "" in facts.roots else ""))


def _parts(facts: PythonFacts) -> frozenset[str]:
    """Return the paths that hold what gets packed: folders and modules."""
    return frozenset({layout.VENDOR_FOLDER.rstrip("/"), *(part.source for part in facts.parts)})


def _reason(path: str, packed: str, entry: str | None) -> str:
    if path == entry:
        return "entry module"
    if packed.startswith(layout.VENDOR_FOLDER):
        return "vendored"
    if packed.startswith(layout.WORKFLOW_FOLDER):
        name, inside, _ = packed[len(layout.WORKFLOW_FOLDER) :].partition("/")
        return f"package {name}" if inside else f"module {name.removesuffix('.py')}"
    return "source" if packed.startswith(layout.SOURCE_FOLDER) else "in the project's folder"
