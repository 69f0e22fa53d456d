"""Gets the metadata of a crate from cargo before a build: its workspace and all source folders.

Metadata of the members alone takes 15 ms. If they and Cargo.lock do not prove that nothing else is
taken from a folder, that of all packages is read, which takes 70 ms: first without network and
without changing Cargo.lock, then, if something must be fetched or chosen, as the build would.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING, Any

from cloacina_ctl import settings
from cloacina_ctl.errors import BuildFailed, Code, FileProblem
from cloacina_ctl.project.rust.cargo_config import configured, replaces_sources
from cloacina_ctl.project.subprocesses import Program, find_program, run
from cloacina_ctl.toml import read_toml
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from cloacina_ctl.project.model import BuildOptions

_MAX_LOCK = 64 << 20
_TRIPLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
# Options of `cargo rustc` that any of cargo's commands takes, and those that choose packages.
COMMON = ("--config", "-Z")
CHOOSING_FEATURES = ("--features", "-F", "--all-features", "--no-default-features")
_CHOOSING = (*COMMON, *CHOOSING_FEATURES)
_WITHOUT_VALUE = ("--all-features", "--no-default-features")


class SourcePackage(NamedTuple):
    """A package that the build may compile, and the folder of its Cargo.toml.

    ``by_path`` is true where its files are taken as they lie there, whatever they hold: members of
    the workspace and path dependencies. Of all others cargo checks the version and the digest.
    """

    id: str
    name: str
    folder: str
    by_path: bool


class CargoWorkspace(NamedTuple):
    """Where a crate belongs: its package, the workspace's root, the folders that cargo builds in.

    ``target_folder`` holds what is built, ``build_folder`` what is made on the way.
    """

    package_id: str
    root: str
    target_folder: str
    build_folder: str
    packages: tuple[SourcePackage, ...]


class Compiler(NamedTuple):
    """The facts that rustc reports about itself; empty if it reports none."""

    host: str = ""
    commit: str = ""
    sysroot: str = ""


def ask_compiler(cargo: Program) -> Compiler:
    """Ask the compiler for its platform and where its files lie."""
    path = cargo.environment.get("RUSTC") or ""
    rustc = path if os.path.isabs(path) else find_program("rustc")
    if rustc is None:
        return Compiler()
    lines: list[bytes] = []
    asked = cargo._replace(path=rustc, arguments=("-vV", "--print=sysroot"))
    if run(asked, lines.append, lambda _: None):
        return Compiler()
    texts = [os.fsdecode(line) for line in lines]
    facts = dict(text.split(": ", 1) for text in texts if ": " in text)
    sysroot = next((text for text in reversed(texts) if os.path.isabs(text)), "")
    return Compiler(facts.get("host", ""), facts.get("commit-hash", ""), sysroot)


def chosen_flags(flags: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Return those of the author's flags for cargo, before a ``--``, whose names are wanted."""
    found: list[str] = []
    left = list(flags[: flags.index("--")] if "--" in flags else flags)
    while left:
        flag = left.pop(0)
        name = flag.partition("=")[0] if flag.startswith("--") else flag[:2]
        if name in wanted:
            found.append(flag)
            if flag == name and name not in _WITHOUT_VALUE and left:
                found.append(left.pop(0))
    return tuple(found)


def ask_workspace(
    cargo: Program,
    options: BuildOptions,
    compiler: Compiler,
    on_message: Callable[[str], None] | None = None,
) -> CargoWorkspace:
    """Ask cargo for the workspace of the crate in its folder.

    Raises ``BuildFailed`` where cargo fails; its messages were shown by then.
    """
    question = _Question(cargo, _arguments(cargo, options, compiler))
    answer = question.asked("--no-deps", on_message=on_message, show=True)
    if answer is None:
        raise failed(question.status)
    if options.cargo_flags or not _are_all(answer, cargo):
        answer = question.asked("--frozen") or _asked_again(question, options, on_message) or answer
    manifest = os.path.realpath(os.path.join(cargo.folder, "Cargo.toml"))
    try:
        return _read(answer, manifest)
    except (KeyError, StopIteration, TypeError) as error:
        raise BuildFailed.of(
            Code.BUILD_FAILED, "cargo does not know the package", where=manifest,
            hint="is it a member of the workspace above it?",
        ) from error  # fmt: skip


def _asked_again(
    question: _Question, options: BuildOptions, on_message: Callable[[str], None] | None
) -> dict[str, Any] | None:
    """Ask for all packages as the build would, which may fetch them and write Cargo.lock."""
    if options.offline:  # something is not here, perhaps for tests alone: the build will tell
        return None
    locked = ("--locked",) if options.locked else ()
    answer = question.asked(*locked, show=True, on_message=on_message)
    if answer is None:
        raise failed(question.status)
    return answer


def _are_all(answer: dict[str, Any], cargo: Program) -> bool:
    """Return whether no package but the members in the answer is taken from a folder.

    Cargo.lock names the source of all others but path dependencies; what it does not know yet is in
    the members' manifests. What is patched or replaced is left to cargo.
    """
    try:
        members = {(one["name"], one["version"]) for one in answer["packages"]}
        folders = {os.path.dirname(one["manifest_path"]) for one in answer["packages"]}
        needed = {d.get("path") for one in answer["packages"] for d in one["dependencies"]}
        root = answer["workspace_root"]
        with open(os.path.join(root, "Cargo.lock"), encoding="utf-8") as file:
            locked = set(_without_source(file.read(_MAX_LOCK)))
    except (OSError, ValueError, KeyError, TypeError):
        return False
    manifest = read_toml(os.path.join(root, "Cargo.toml"))
    replaced = manifest.keys() & {"patch", "replace"}
    if replaced or replaces_sources(cargo.folder, home_of("cargo", cargo.environment)):
        return False
    return locked <= members and needed <= {None, *folders}


def _without_source(lock: str) -> Iterator[tuple[str, str]]:
    """Yield name and version of the packages that a Cargo.lock of cargo's names no source of.

    By its lines: a TOML parser takes longer than all else here.
    """
    for block in lock.split("[[package]]")[1:]:
        facts = dict(line.split(" = ", 1) for line in block.splitlines() if " = " in line)
        if "source" not in facts:
            yield facts.get("name", "").strip('"'), facts.get("version", "").strip('"')


def failed(status: int) -> BuildFailed:
    """Return the error for cargo's exit status, negative for a signal's number."""
    how = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
    return BuildFailed.of(Code.BUILD_FAILED, f"cargo failed: {how}")


class _Question:
    """`cargo metadata`, asked once or again; ``status`` is that of the last time."""

    def __init__(self, cargo: Program, arguments: tuple[str, ...]) -> None:
        self._cargo = cargo._replace(arguments=("metadata", "--format-version=1", *arguments))
        self.status = 0

    def asked(
        self,
        *flags: str,
        show: bool = False,
        on_message: Callable[[str], None] | None = None,
    ) -> dict[str, Any] | None:
        """Return the answer, None where cargo has none; its messages are shown on demand."""
        lines: list[bytes] = []
        program = self._cargo._replace(arguments=(*self._cargo.arguments, *flags))
        self.status = run(program, lines.append, on_message if show else lambda _: None)
        return read_json(b"".join(lines)) if self.status == 0 else None


def _arguments(cargo: Program, options: BuildOptions, compiler: Compiler) -> tuple[str, ...]:
    """Return which packages are asked for: those that a build for the target compiles."""
    features = [f"--features={name}" for name in options.features]
    features += [] if options.default_features else ["--no-default-features"]
    targets = [options.target] if options.target else _configured_targets(cargo) or [compiler.host]
    known = all(_TRIPLE.fullmatch(target) for target in targets)
    platforms = [f"--filter-platform={target}" for target in targets] if known else []
    return (*features, *platforms, *chosen_flags(options.cargo_flags, _CHOOSING))


def _configured_targets(cargo: Program) -> list[str]:
    said: Any = cargo.environment.get("CARGO_BUILD_TARGET")
    if not said:
        said = configured(cargo.folder, home_of("cargo", cargo.environment), "build", "target")
    return [str(one) for one in (said if isinstance(said, list) else [said] if said else [])]


def refuse_several_targets(cargo: Program, options: BuildOptions) -> None:
    """Raise ``BuildFailed`` where cargo is configured to build for several platforms at once."""
    chosen = options.target or chosen_flags(options.cargo_flags, ("--target",))
    targets = [] if chosen else _configured_targets(cargo)
    if len(set(targets)) > 1:
        raise several_targets(targets)


def several_targets(targets: Iterable[str]) -> BuildFailed:
    """Return the error for a build that gives a library for each of ``targets``."""
    names = list(dict.fromkeys(targets))
    return BuildFailed.of(
        Code.BUILD_FAILED,
        f"cargo builds for {len(names)} targets, and a package is made of one: {', '.join(names)}",
        hint=f"choose one: --target {names[0]}",
    )


def home_of(tool: str, environment: Mapping[str, str]) -> str | None:
    """Return the folder of cargo or rustup; None where neither it nor a home is known."""
    chosen = environment.get(f"{tool.upper()}_HOME")
    home = user_home()
    return chosen or (os.path.join(home, f".{tool}") if home is not None else None)


def user_home() -> str | None:
    """Return the user's own folder, None where none is known."""
    try:
        return settings.home_folder()
    except FileProblem:
        return None


def _read(answer: dict[str, Any], manifest: str) -> CargoWorkspace:
    ours = (p for p in answer["packages"] if os.path.realpath(p["manifest_path"]) == manifest)
    target = answer["target_directory"]
    return CargoWorkspace(
        package_id=next(ours)["id"],
        root=answer["workspace_root"],
        target_folder=target,
        build_folder=answer.get("build_directory") or target,
        packages=tuple(_packages(answer["packages"])),
    )


def _packages(packages: list[dict[str, Any]]) -> Iterator[SourcePackage]:
    for one in packages:
        folder = os.path.dirname(one["manifest_path"])
        yield SourcePackage(one["id"], str(one["name"]), folder, one.get("source") is None)


def read_json(line: bytes) -> dict[str, Any]:
    """Return an object, empty for what is none: a macro may write anything."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
