"""Builds a crate's shared library with cargo. This runs what the project and its dependencies say.

What was built is what cargo's own messages name, for this package, inside the target folder that
we chose; never a guess. That folder lies under the author's, so that neither build spoils the
other's cache, and the builder's paths are kept out of the library.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from typing import TYPE_CHECKING, Any

from cloacina_ctl import settings
from cloacina_ctl.errors import BuildFailed, Code, FileProblem, UsageError
from cloacina_ctl.manifest import BuiltWith
from cloacina_ctl.project.cargo_config import (
    AddedFlags,
    add_flags,
    compiler_variables,
    configured_flags,
)
from cloacina_ctl.project.programs import Program, clean_environment, find_program, run
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloacina_ctl.project.model import BuildOptions, Crate

OUR_FOLDER = "cloacina-ctl"
PACKAGED = "packaged"
_LIBRARY_SUFFIXES = (".so", ".dylib", ".dll")
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_FEATURE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_+./?-]*")


class Built(NamedTuple):
    """What was built: the library's absolute path and how it came about.

    ``complete_remap`` is false where a path of the builder may be left in the library;
    ``compiler_variables`` are the names of environment variables that chose or changed the
    compiler.
    """

    library: str
    target_folder: str
    built_with: BuiltWith
    complete_remap: bool = True
    compiler_variables: tuple[str, ...] = ()


class _Workspace(NamedTuple):
    """What cargo says of the crate before it builds."""

    package_id: str
    root: str
    target_folder: str
    build_folder: str


def find_cargo() -> str:
    """Return the absolute path of cargo, or raise ``BuildFailed`` that says how to get it."""
    path = find_program("cargo")
    if path is None:
        raise BuildFailed.of(
            Code.NO_CARGO,
            "cargo is not installed, or not in PATH",
            hint="install Rust with rustup (https://rustup.rs) or your system's package `cargo`",
        )
    return path


def build(
    crate: Crate, options: BuildOptions, on_message: Callable[[str], None] | None = None
) -> Built:
    """Build the crate's shared library and return where it is.

    With ``on_message`` each line that cargo and the compiler write for people goes there;
    without, it goes to our standard error, where a terminal gets cargo's progress bar. Raises
    ``BuildFailed`` where cargo is missing or fails (its messages were shown by then) and
    ``UsageError`` for options that cargo would take for something else.
    """
    _judge(options)
    cargo = Program(find_cargo(), (), crate.root, clean_environment())
    workspace = _workspace(cargo, options, on_message)
    added = _added_flags(workspace, cargo)
    arguments = (
        *_arguments(crate, options, workspace),
        *added.arguments,
        *_tail(crate, options, workspace),
    )
    artifacts = _Artifacts(workspace)
    builder = cargo._replace(
        arguments=arguments, environment={**cargo.environment, **added.environment}
    )
    status = run(builder, artifacts.take, on_message)
    if status:
        raise _failed(status)
    library = artifacts.only()
    rustc, host = _compiler(workspace, cargo)
    target = options.target or artifacts.target or host
    return Built(
        library=library,
        target_folder=workspace.target_folder,
        built_with=BuiltWith(rustc=rustc, profile=options.profile, target=target),
        complete_remap=added.complete,
        compiler_variables=compiler_variables(cargo.environment),
    )


def _judge(options: BuildOptions) -> None:
    """Refuse names that cargo would read as something else than a name."""
    words = (("profile", options.profile), ("target", options.target))
    bad = [f"{what}: {word}" for what, word in words if word and not _WORD.fullmatch(word)]
    bad += [f"feature: {word}" for word in options.features if not _FEATURE.fullmatch(word)]
    if bad:
        raise UsageError.of(Code.USAGE, f"not a name of a {bad[0]}")


def _workspace(
    cargo: Program, options: BuildOptions, on_message: Callable[[str], None] | None
) -> _Workspace:
    """Ask cargo where it builds; 10 ms, for it resolves no dependency."""
    lines: list[bytes] = []
    arguments = ["metadata", "--no-deps", "--format-version=1"]
    arguments += ["--offline"] if options.offline else []
    status = run(cargo._replace(arguments=tuple(arguments)), lines.append, on_message)
    if status:
        raise _failed(status)
    manifest = os.path.realpath(os.path.join(cargo.folder, "Cargo.toml"))
    try:
        return _read_metadata(_json(b"".join(lines)), manifest)
    except (KeyError, StopIteration) as error:
        raise BuildFailed.of(
            Code.BUILD_FAILED, "cargo does not know the package", where=manifest,
            hint="is it a member of the workspace above it?",
        ) from error  # fmt: skip


def _read_metadata(answer: dict[str, Any], manifest: str) -> _Workspace:
    ours = (p for p in answer["packages"] if os.path.realpath(p["manifest_path"]) == manifest)
    target = answer["target_directory"]
    return _Workspace(
        package_id=next(ours)["id"],
        root=answer["workspace_root"],
        target_folder=os.path.join(target, OUR_FOLDER),
        build_folder=os.path.join(answer.get("build_directory") or target, OUR_FOLDER),
    )


def _arguments(crate: Crate, options: BuildOptions, workspace: _Workspace) -> tuple[str, ...]:
    arguments = [
        "rustc",
        "--lib",
        f"--profile={options.profile}",
        "--message-format=json-render-diagnostics",
        f"--target-dir={workspace.target_folder}",
    ]
    if "cdylib" not in crate.crate_types:
        arguments.append("--crate-type=cdylib")
    if workspace.build_folder != workspace.target_folder:
        arguments.append(f"--config=build.build-dir={json.dumps(workspace.build_folder)}")
    if options.target:
        arguments.append(f"--target={options.target}")
    features = _features(crate, options)
    if features:
        arguments.append(f"--features={','.join(features)}")
    if options.jobs:
        arguments.append(f"--jobs={options.jobs}")
    asked = {"--locked": options.locked, "--offline": options.offline, "--quiet": options.quiet}
    arguments += [flag for flag, wanted in asked.items() if wanted]
    return tuple(arguments)


def _tail(crate: Crate, options: BuildOptions, workspace: _Workspace) -> tuple[str, ...]:
    """Return the author's own flags, then what goes to the compiler of this one crate.

    The project's folder stands here: among the flags of all crates it would make projects that
    share a target folder build their dependencies again and again.
    """
    flags = [_remap(workspace.root, "/project")]
    if _lacks_feature(crate):
        flags += ["--cfg", f'feature="{PACKAGED}"', "-Aunexpected_cfgs"]
    separator = () if "--" in options.cargo_flags else ("--",)
    return (*options.cargo_flags, *separator, *flags)


def _features(crate: Crate, options: BuildOptions) -> tuple[str, ...]:
    """Return what was asked for, and ``packaged`` where the crate has it but not by default."""
    needed = (PACKAGED,) if _is_off(crate) and PACKAGED not in options.features else ()
    return (*options.features, *needed)


def _is_off(crate: Crate) -> bool:
    return PACKAGED in crate.features and PACKAGED not in crate.default_features


def _lacks_feature(crate: Crate) -> bool:
    """Tell whether the macros want a feature that the crate does not have.

    The macros of ``cloacina-workflow`` do; those of the full ``cloacina`` crate of 0.2 and 0.3
    export their plugin without it.
    """
    return PACKAGED not in crate.features and "cloacina-workflow" in crate.dependencies


def _added_flags(workspace: _Workspace, cargo: Program) -> AddedFlags:
    """Return how the builder's folders are kept out of the library."""
    environment = cargo.environment
    cargo_home = _home_of("cargo", environment)
    rustup_home = _home_of("rustup", environment)
    configured = configured_flags(cargo.folder, cargo_home)
    return add_flags(_remaps(workspace, cargo_home, rustup_home), environment, configured)


def _home_of(tool: str, environment: Mapping[str, str]) -> str | None:
    """Return the folder of cargo or rustup; None where neither it nor a home is known."""
    chosen = environment.get(f"{tool.upper()}_HOME")
    if chosen:
        return chosen
    try:
        return os.path.join(settings.home_folder(), f".{tool}")
    except FileProblem:
        return None


def _remaps(
    workspace: _Workspace, cargo_home: str | None, rustup_home: str | None
) -> tuple[str, ...]:
    """Return the flags, one for each folder; where two match, the compiler takes the last."""
    folders = {rustup_home: "/rustup", cargo_home: "/cargo", workspace.build_folder: "/target"}
    return tuple(_remap(folder, name) for folder, name in folders.items() if folder is not None)


def _remap(folder: str, name: str) -> str:
    return f"--remap-path-prefix={folder}={name}"


class _Artifacts:
    """The libraries that cargo says it made of our package."""

    def __init__(self, workspace: _Workspace) -> None:
        self._workspace = workspace
        self._found: list[str] = []
        self.target: str | None = None

    def take(self, line: bytes) -> None:
        """Note the library that a line of cargo's names; most lines are about dependencies.

        A macro can write to the same stream: what it forges is a second library, or lies
        elsewhere, and both are refused.
        """
        if b'"compiler-artifact"' not in line or b"cdylib" not in line:
            return
        message = _json(line)
        target, names = message.get("target"), message.get("filenames")
        ours = message.get("package_id") == self._workspace.package_id
        shared = isinstance(target, dict) and "cdylib" in str(target.get("crate_types"))
        if ours and shared and isinstance(names, list):
            self._found += [str(name) for name in names if _is_library(name)]

    def only(self) -> str:
        """Return the one library, in our target folder."""
        if len(self._found) != 1:
            raise BuildFailed.of(
                Code.BUILD_FAILED, f"expected one shared library, cargo names {len(self._found)}",
                hint="the crate needs a library target (src/lib.rs)",
            )  # fmt: skip
        library, folder = self._found[0], os.path.realpath(self._workspace.target_folder)
        parts = os.path.relpath(os.path.realpath(library), folder).split(os.sep)
        if parts[0] == os.pardir or os.path.islink(library) or not os.path.isfile(library):
            raise BuildFailed.of(
                Code.BUILD_FAILED, "cargo names a library outside of the target folder",
                where=library,
            )  # fmt: skip
        # With a target asked for or configured, its name is a folder above the profile's.
        self.target = parts[0] if len(parts) > 2 and parts[1] != "deps" else None
        return library


def _is_library(name: object) -> bool:
    return isinstance(name, str) and name.endswith(_LIBRARY_SUFFIXES)


def _compiler(workspace: _Workspace, program: Program) -> tuple[str, str]:
    """Return the compiler's version and its own platform, from where cargo keeps them."""
    texts = []
    for folder in dict.fromkeys((workspace.build_folder, workspace.target_folder)):
        with contextlib.suppress(OSError, AttributeError):
            with open(os.path.join(folder, ".rustc_info.json"), "rb") as file:
                outputs = _json(file.read(1 << 20)).get("outputs", {})
            texts += [str(output.get("stdout", "")) for output in outputs.values()]
    for text in (*texts, ""):
        facts = text or _ask_compiler(program)
        version = re.search(r"^rustc (\S.*)$", facts, re.MULTILINE)
        host = re.search(r"^host: (\S+)$", facts, re.MULTILINE)
        if version and host:
            return version[1], host[1]
    raise BuildFailed.of(Code.BUILD_FAILED, "the compiler does not say its version")


def _ask_compiler(program: Program) -> str:
    lines: list[bytes] = []
    rustc = find_program("rustc")
    if rustc is not None:
        asked = program._replace(path=rustc, arguments=("-vV",))
        run(asked, lines.append, lambda _: None)
    return b"\n".join(lines).decode("utf-8", "replace")


def _json(line: bytes) -> dict[str, Any]:
    """Return an object, empty for what is none: a macro may write anything."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _failed(status: int) -> BuildFailed:
    how = f"exit status {status}" if status > 0 else f"ended by signal {-status}"
    return BuildFailed.of(Code.BUILD_FAILED, f"cargo failed: {how}")
