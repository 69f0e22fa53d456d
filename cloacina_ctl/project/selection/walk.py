"""Walks over a project's folder and decides for every file whether it is packed.

Iterative, one ``scandir`` a folder, one ``lstat`` a packed file. What cannot be packed is
collected and refused in one go. The rules' order is that of ``selection``.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Protocol

from cloacina_ctl.errors import Code, Diagnostic, FileProblem, Refused
from cloacina_ctl.paths import MAX_DEPTH, MemberPath, all_plain, check_path, collisions, fold
from cloacina_ctl.project.model import LeftOut, SelectedFile, Selection
from cloacina_ctl.project.own_files import FOLLOW_HINT, link, read_head
from cloacina_ctl.project.selection.exclusions import deny_file, deny_folder, deny_marked_folder
from cloacina_ctl.project.selection.ignore_files import (
    Patterns,
    compile_patterns,
    exact_paths,
    is_ignored,
    read_ignore_files,
)
from cloacina_ctl.project.selection.links import Away, away, boundary_of, check_target, follow
from cloacina_ctl.project.selection.repository import DOT_GIT, MODULES_FILE
from cloacina_ctl.project.selection.surroundings import Surroundings
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from typing_extensions import Self

    from cloacina_ctl.paths import Collision
    from cloacina_ctl.project.selection.links import LinkTarget

INCLUDED = "included by the configuration"
EMPTY_FOLDER = "an empty folder"
NO_SUBMODULE = "a submodule that is not checked out"
EXCLUDED = "excluded by the configuration"
IGNORED = "ignored by an ignore file"
NOT_BUILT = "excluded by the build configuration"
NO_PART = "not part of what gets packed"
_HINT = "rename it, or leave it out: name it in .cloacinaignore"


class TreeRules(NamedTuple):
    """The rules of a kind of project, beside those for every tree; paths with slashes.

    ``moves``: prefixes of paths and what becomes of them in the package, the first that fits.
    ``parts``: what holds the files to pack, None for all. ``left_out``: paths that stay out, with
    the reason. ``reserved``: names at the top of a package, folded, that are not the project's
    to fill. ``bases`` are the folders whose folders can be parts. ``build_exclude`` are patterns
    that count like those of an ignore file at the root. ``left_out_names`` are names of folders
    that stay out wherever they lie, ``markers`` names of files whose folder does, but for the root.
    ``listed`` is the project's list for other packers. ``follows`` packs the targets of links.
    """

    moves: tuple[tuple[str, str], ...] = (("", ""),)
    parts: frozenset[str] | None = None
    left_out: Mapping[str, str] = {}
    reserved: tuple[str, ...] = ()
    bases: frozenset[str] = frozenset()
    build_exclude: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    left_out_names: Mapping[str, str] = {}
    markers: Mapping[str, str] = {}
    listed: Listed | None = None
    follows: bool = False


class Listed(Protocol):
    """The list by which another packer chooses, which counts below the configuration."""

    @property
    def is_full(self) -> bool:
        """Return whether it names all that is packed, so that git's rules do not count."""
        ...

    def why_out(self, path: str, *, is_folder: bool) -> str | None:
        """Return why the file stays out, or the folder with all in it; None where it is packed."""
        ...


# How much of a folder can get packed: what its rules say; what ``include`` brings back; what
# ``include`` names exactly.
_OPEN, _OUT, _SHUT = range(3)
_MAX_FOLLOWED = 1000  # folders: links that lead to each other's folders multiply
_ALL_READ = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH


class _Folder(NamedTuple):
    """A folder to visit: its path with a slash at the end, empty for the root.

    ``inside`` means that it belongs to a packed part, ``state`` is one of the three above.
    ``place`` is its path as ignore rules see it, ``real`` where it is. Links led to it from the
    folders ``via``.
    """

    path: str
    depth: int
    ignores: tuple[Patterns, ...]
    inside: bool
    state: int
    place: str
    real: str
    via: tuple[str, ...] = ()

    def inner(self, name: str, ignores: tuple[Patterns, ...], *, inside: bool, state: int) -> Self:
        """Return a folder in it."""
        return self._replace(
            path=f"{self.path}{name}/",
            depth=self.depth + 1,
            ignores=ignores,
            inside=inside,
            state=state,
            place=f"{self.place}{name}/",
            real=os.path.join(self.real, name),
        )


def select_tree(root: str, rules: TreeRules, reason: Callable[[str, str], str]) -> Selection:
    """Return what of the folder ``root`` gets packed, sorted by path.

    ``reason`` says of a path, and of what it becomes, why it is in. Raises ``Refused`` with every
    link, special file, unreadable thing and name that no package may hold.
    """
    walk = _Walk(root, rules, reason)
    waiting = [walk.top()]
    while waiting:
        waiting.extend(walk.visit(waiting.pop()))
    return walk.result()


class _Walk:
    """The state of one walk."""

    def __init__(self, root: str, rules: TreeRules, reason: Callable[[str, str], str]) -> None:
        self._root = root
        self._rules = rules
        self._reason = reason
        self.around = Surroundings(root)
        self._prefix = self.around.prefix
        self._include = compile_patterns(rules.include)
        self._exclude = compile_patterns(rules.exclude)
        self._build_exclude = compile_patterns(rules.build_exclude)
        self._exact = exact_paths(rules.include)
        # A pattern that is no full path may match in any folder.
        self._anywhere = any(
            pattern.removeprefix("/") not in self._exact or "/" not in pattern.rstrip("/")
            for pattern in rules.include
        )
        self._boundary = boundary_of(root) if rules.follows else root
        self._followed = 0
        self._files: list[SelectedFile] = []
        self._left_out: list[LeftOut] = []
        self._problems: list[Diagnostic] = []
        self._with_bit = 0

    def top(self) -> _Folder:
        """Return the project's own folder."""
        inside = self._rules.parts is None
        return _Folder("", 0, self.around.ignores, inside, _OPEN, self._prefix, self._root)

    def visit(self, folder: _Folder) -> Iterator[_Folder]:
        """Decide about all entries of ``folder``; yield the folders in it to visit."""
        path = folder.real
        try:
            with os.scandir(path) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            self._cannot_read(folder.path or ".", error)
            return
        folder = self._entered(path, folder, {entry.name for entry in entries})
        for entry in entries:
            inner = self._decide(entry, folder)
            if inner is not None:
                yield inner

    def _entered(self, path: str, folder: _Folder, names: set[str]) -> _Folder:
        """Return the folder with what its own files say of it."""
        if folder.state != _OPEN:
            return folder
        reason = self._why_marked(folder.path, names) if folder.path else None
        if reason is not None:
            self._left_out.append(LeftOut(folder.path, reason))
            return folder._replace(state=_SHUT)
        if not names and folder.inside and folder.path:
            is_module = self.around.is_submodule(folder.path[:-1])
            self._left_out.append(LeftOut(folder.path, NO_SUBMODULE if is_module else EMPTY_FOLDER))
        ignores = folder.ignores
        if DOT_GIT in names and folder.path and not folder.via:
            ignores = self.around.enter(path, folder.path, ignores)
        if MODULES_FILE in names:
            self.around.learn_submodules(path, folder.path)
        if folder.inside or not folder.path:
            self.around.note_links(path, folder.path)
        shown, base = folder.path, folder.place
        return folder._replace(
            ignores=(*read_ignore_files(path, base, names, shown=shown), *ignores)
        )

    def _why_marked(self, path: str, names: set[str]) -> str | None:
        """Return why a folder with files of these names is left out."""
        marked = deny_marked_folder(path, names)
        if marked is not None:
            return marked.reason
        return next((why for name, why in self._rules.markers.items() if name in names), None)

    def _decide(self, entry: os.DirEntry[str], folder: _Folder) -> _Folder | None:
        """Decide about a file, or return the folder to visit."""
        path = folder.path + entry.name
        if self._rules.follows and entry.is_symlink():
            return self._decide_link(entry, path, folder)
        if not entry.is_dir(follow_symlinks=False):
            self._decide_file(entry, path, folder)
            return None
        if self._matches(self._exclude, path, is_folder=True):
            if folder.state == _OPEN:
                self._left_out.append(LeftOut(path + "/", EXCLUDED))
            return None
        state = self._state_of_folder(entry.name, path, folder)
        if state != _OPEN and not self._may_hold_included(path, state):
            return None
        if folder.depth >= MAX_DEPTH:
            message = f"more than {MAX_DEPTH} folders deep"
            self._problems.append(Diagnostic(Code.PROJECT_PATH, message, path, _HINT))
            return None
        inside = folder.inside or self._is_part(path)
        return folder.inner(entry.name, folder.ignores, inside=inside, state=state)

    def _state_of_folder(self, name: str, path: str, folder: _Folder) -> int:
        """Return how much of the folder can get packed, and note why where that is not all."""
        denied = deny_folder(name)
        if denied is not None:
            why, state = LeftOut(path + "/", denied.reason, denied.secret), _SHUT
        elif path in self._rules.left_out:
            why, state = LeftOut(path + "/", self._rules.left_out[path]), _SHUT
        elif name in self._rules.left_out_names:
            why, state = LeftOut(path + "/", self._rules.left_out_names[name]), _SHUT
        elif (reason := self._why_unlisted(path, folder, is_folder=True)) is not None:
            why, state = LeftOut(path + "/", reason), _OUT
        elif self._matches(self._build_exclude, path, is_folder=True):
            why, state = LeftOut(path + "/", NOT_BUILT), _OUT
        elif not (folder.inside or self._is_part(path) or self._leads_to_part(path)):
            reason = NO_SUBMODULE if self._is_missing_part(path) else NO_PART
            why, state = LeftOut(path + "/", reason), _OUT
        else:
            return folder.state
        if folder.state == _OPEN:
            self._left_out.append(why)
        return max(state, folder.state)

    def _may_hold_included(self, path: str, state: int) -> bool:
        if state == _OUT and self._anywhere:
            return True
        return any(exact.startswith(path + "/") for exact in self._exact)

    def _decide_file(self, entry: os.DirEntry[str], path: str, folder: _Folder) -> None:
        why = self._why_out(entry.name, path, folder)
        if why is None:
            try:
                facts = entry.stat(follow_symlinks=False)
            except OSError as error:
                self._cannot_read(path, error)
            else:
                link = path if folder.via else None
                self._take(facts, entry.path, path, included=self._is_included(path), link=link)
        elif folder.state == _OPEN:
            self._left_out.append(why)

    def _decide_link(self, entry: os.DirEntry[str], path: str, folder: _Folder) -> _Folder | None:
        """Decide about a link by its target, as if that were in its place."""
        try:
            target = follow(self._boundary, folder.place + entry.name)
        except (Away, OSError) as error:
            if self._why_out(entry.name, path, folder) is not None:
                self._decide_file(entry, path, folder)
            elif isinstance(error, OSError):
                self._cannot_read(path, error)
            else:
                self._problems.append(away(path, error))
            return None
        if target.is_folder:
            return self._linked_folder(entry.name, path, folder, target)
        why = self._why_out(entry.name, path, folder)
        left, _ = check_target(target)
        if left is not None and target.path.removeprefix(self._prefix) not in self._exact:
            why = why or LeftOut(path, f"a link to {target.path}: {left.reason}", left.secret)
        if why is None:
            self._take(target.facts, target.full, path, included=self._is_included(path), link=path)
        elif folder.state == _OPEN:
            self._left_out.append(why)
        return None

    def _linked_folder(
        self, name: str, path: str, folder: _Folder, target: LinkTarget
    ) -> _Folder | None:
        """Return the folder that a link leads to, to be visited in the link's place."""
        if self._matches(self._exclude, path, is_folder=True):
            self._left_out.append(LeftOut(path + "/", EXCLUDED))
            return None
        state = self._state_of_folder(name, path, folder)
        if state != _OPEN or folder.depth >= MAX_DEPTH:
            return None
        left, ignores = check_target(target)
        if left is not None:
            reason = f"a link to {target.path}/: {left.reason}"
            self._left_out.append(LeftOut(path + "/", reason, left.secret))
            return None
        via = (*folder.via, os.path.realpath(folder.real))
        self._followed += 1
        if any(f"{one}/".startswith(f"{target.full}/") for one in via):
            self._problems.append(away(path, Away("to a folder that it lies in")))
        elif self._followed > _MAX_FOLLOWED:
            self._problems.append(away(path, Away(f"on, as {_MAX_FOLLOWED} others do")))
        else:
            inside = folder.inside or self._is_part(path)
            found = folder.inner(name, ignores, inside=inside, state=state)
            return found._replace(place=target.path + "/", real=target.full, via=via)
        return None

    def _why_out(self, name: str, path: str, folder: _Folder) -> LeftOut | None:
        """Return why the file stays out, by the rules in their order; None where it is packed."""
        if self._matches(self._exclude, path, is_folder=False):
            return LeftOut(path, EXCLUDED)
        if path in self._rules.left_out:
            return LeftOut(path, self._rules.left_out[path])
        if path in self._exact:
            return None
        denied = deny_file(name) or deny_folder(name)  # a link called `.venv` is no folder
        if denied is not None:
            return LeftOut(path, denied.reason, denied.secret)
        if folder.state != _SHUT and self._include is not None and self._include.covers(path):
            return None
        if folder.state == _OPEN:
            return self._why_ignored(path, folder)
        return LeftOut(path, NO_PART)

    def _why_ignored(self, path: str, folder: _Folder) -> LeftOut | None:
        if not (folder.inside or self._is_part(path)):
            return LeftOut(path, NO_PART)
        reason = self._why_unlisted(path, folder, is_folder=False)
        if reason is None and self._matches(self._build_exclude, path, is_folder=False):
            reason = NOT_BUILT
        return LeftOut(path, reason) if reason is not None else None

    def _why_unlisted(self, path: str, folder: _Folder, *, is_folder: bool) -> str | None:
        """Return why the project's own list or ignore files leave something out."""
        listed, ignores = self._rules.listed, folder.ignores
        reason = listed.why_out(path, is_folder=is_folder) if listed is not None else None
        if reason is not None:
            return reason
        if listed is not None and listed.is_full:
            ignores = tuple(patterns for patterns in ignores if not patterns.of_git)
        place = folder.place + path[len(folder.path) :]
        return IGNORED if is_ignored(ignores, place, is_folder=is_folder) else None

    def _is_included(self, path: str) -> bool:
        if path in self._exact:
            return True
        return self._include is not None and self._include.covers(path)

    def _is_part(self, path: str) -> bool:
        return self._rules.parts is not None and path in self._rules.parts

    def _leads_to_part(self, path: str) -> bool:
        parts = self._rules.parts
        return parts is not None and any(part.startswith(path + "/") for part in parts)

    def _is_missing_part(self, path: str) -> bool:
        """Return whether the folder would be looked into for parts, had git filled it."""
        above = path.rpartition("/")[0]
        if above not in self._rules.bases or not self.around.is_submodule(path):
            return False
        return not os.listdir(os.path.join(self._root, path))

    def _is_wanted(self, path: str) -> bool:
        """Return whether nothing but an ignore rule keeps the file out."""
        folder, _, name = path.rpartition("/")
        above = folder.split("/") if folder else []
        parents = ["/".join(above[: count + 1]) for count in range(len(above))]
        return not (
            (self._exclude is not None and self._exclude.covers(path))
            or any(place in self._rules.left_out for place in (path, *parents))
            or deny_file(name)
            or any(map(deny_folder, above))
            or (
                self._rules.listed is not None
                and self._rules.listed.why_out(path, is_folder=False) is not None
            )
        ) and (self._rules.parts is None or any(map(self._is_part, (path, *parents))))

    @staticmethod
    def _matches(patterns: Patterns | None, path: str, *, is_folder: bool) -> bool:
        return patterns is not None and patterns.verdict(path, is_folder=is_folder) is True

    def _take(
        self,
        facts: os.stat_result,
        full: str,
        path: str,
        *,
        included: bool,
        link: str | None = None,
    ) -> None:
        """Pack the file at ``full``, or record why it cannot be packed."""
        try:
            kind = _check_kind(facts.st_mode, path, full)
        except OSError as error:
            self._cannot_read(path, error)
            return
        open_to_all = facts.st_mode & _ALL_READ == _ALL_READ
        readable = kind is not None or open_to_all or os.access(full, os.R_OK)
        packed = self._packed_path(path)
        if kind is not None:
            self._problems.append(kind)
        elif not readable:
            message = "cannot be read: permission denied"
            self._problems.append(Diagnostic(Code.UNREADABLE, message, path, _HINT))
        elif self._is_free(path, packed):
            self._files.append(
                SelectedFile(
                    path=MemberPath(packed),
                    source=full,
                    size=facts.st_size,
                    executable=self._is_executable(facts.st_mode, full),
                    reason=INCLUDED if included else self._reason(path, packed),
                    link=link,
                )
            )

    def _is_executable(self, mode: int, path: str) -> bool:
        """Return whether the file has the bit and could be run.

        File systems without modes (vfat, SMB, what WSL and virtual machines share) show the bit on
        every file; the same sources have to give the same package there.
        """
        if not mode & stat.S_IXUSR:
            return False
        from cloacina_ctl.platforms.recognition import can_be_run

        self._with_bit += 1
        return can_be_run(read_head(path))

    def _packed_path(self, path: str) -> str:
        for prefix, new in self._rules.moves:
            if path.startswith(prefix):
                return new + path[len(prefix) :]
        return path

    def _is_free(self, path: str, packed: str) -> bool:
        """Return whether the path is the project's to fill; note where it is not."""
        first = packed.partition("/")[0]
        if fold(first) in self._rules.reserved:
            message = f"the format keeps this name for itself: {first}"
            self._problems.append(Diagnostic(Code.RESERVED_NAME, message, path, _HINT))
            return False
        return True

    def _cannot_read(self, path: str, error: OSError) -> None:
        """Note that the system refused; what was there a moment ago changes while we read."""
        if isinstance(error, FileNotFoundError):
            raise FileProblem.of(Code.CHANGED, "changed while reading", where=path) from error
        message = f"cannot be read: {os.strerror(error.errno or 0).lower()}"
        self._problems.append(Diagnostic(Code.UNREADABLE, message, path, _HINT))

    def result(self) -> Selection:
        """Return the selection; raise ``Refused`` with all problems where there are any."""
        self._files.sort(key=lambda file: file.path)
        if not all_plain([file.path for file in self._files]):
            self._files = [file for file in self._files if self._is_allowed(file)]
        clashes = collisions(file.path for file in self._files)
        self._problems += self._clashing(clashes) if clashes else ()
        if self._problems:
            raise Refused(*sorted(self._problems, key=lambda problem: problem.where or ""))
        return Selection(
            files=tuple(self._files),
            left_out=tuple(sorted(self._left_out, key=lambda left_out: left_out.path)),
            tracked=tuple(filter(self._is_wanted, self._tracked())),
            git_problems=self.around.problems,
            all_executable=1 < len(self._files) == self._with_bit,
        )

    def _tracked(self) -> list[str]:
        """Return the files that git tracks among those that an ignore rule leaves out."""
        ignored = {one.path for one in self._left_out if one.reason == IGNORED}
        if not ignored:
            return []
        taken = {file.place(self._root) for file in self._files}
        return sorted(self.around.tracked(ignored) - taken)

    def _is_allowed(self, file: SelectedFile) -> bool:
        """Return whether a package may hold the path; note the rule that it breaks."""
        rule = check_path(file.path)
        if rule is not None:
            place = file.place(self._root)
            self._problems.append(Diagnostic(Code.PROJECT_PATH, rule, place, _HINT))
        return rule is None

    def _clashing(self, clashes: tuple[Collision, ...]) -> Iterator[Diagnostic]:
        places = {str(file.path): file.place(self._root) for file in self._files}
        for clash in clashes:
            first, second = (places.get(path, path) for path in (clash.first, clash.second))
            yield Diagnostic(Code.PROJECT_PATH, f"beside {first}: {clash.rule}", second, _HINT)


def _check_kind(mode: int, path: str, full: str) -> Diagnostic | None:
    """Return the problem of an entry that is not a regular file, if any."""
    if stat.S_ISREG(mode):
        return None
    if stat.S_ISLNK(mode):
        return link(path, os.readlink(full), FOLLOW_HINT)
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}
    kind = kinds.get(stat.S_IFMT(mode), "a device")
    return Diagnostic(Code.SPECIAL_FILE, f"neither a file nor a folder: {kind}", path, _HINT)
