"""``cloacina-ctl package``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import Argument, Command, Kind, Option, Refers
from cloacina_ctl.cli.parsing.options import (
    ENVIRONMENT,
    FEATURES,
    FORCE,
    FORMAT,
    JOBS,
    LIMIT,
    PAD,
    PASSPHRASE_FD,
    RUNTIME,
    RUST,
    SIGN_FIDIUS,
    SIGNER,
    chosen_features,
    limits,
    refuse_both,
)
from cloacina_ctl.errors import Code, Severity, UsageError

if TYPE_CHECKING:
    from cloacina_ctl.cli.parsing.declaration import Values
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.operations.package import Packaged, PackageRequest, Prepared
    from cloacina_ctl.operations.packaging.build import BuildOptions
    from cloacina_ctl.operations.packaging.vendoring import VendorRequest
    from cloacina_ctl.signing.keys import PrivateKey
    from cloacina_ctl.vendoring.notes import Change


def _run(values: Values, reporter: Reporter) -> int:
    from cloacina_ctl.operations.package import package, prepare

    refuse_both(values, "--sign", "--no-sign")
    refuse_both(values, "--require-signature", "--no-sign")
    refuse_both(values, "--vendor", "--no-vendor")
    refuse_both(values, "--upgrade-vendored", "--locked")
    if values["list"]:
        request = _request(values, reporter, ())
        prepared = prepare(request, reporter.progress())
        _show_plan(prepared, request.target.format, reporter)
        reporter.warnings(prepared.diagnostics)
        if not reporter.verbose:  # which has shown all notes
            _tell_vendoring(prepared.diagnostics, reporter)
        _tell_changes(prepared.vendored.changes if prepared.vendored else (), reporter)
        return 0
    packaged = package(_request(values, reporter, _keys(values)), reporter.progress())
    reporter.result(_as_json(packaged), packaged.diagnostics)
    reporter.warnings(packaged.diagnostics)
    if not reporter.verbose:  # which has shown all notes
        _tell_vendoring(packaged.diagnostics, reporter)
    _tell_changes(packaged.changes, reporter)
    _show(packaged, reporter, include_source=values["include_source"], no_sign=values["no_sign"])
    return 0


def _keys(values: Values) -> tuple[PrivateKey, ...]:
    if values["no_sign"]:
        return ()
    from cloacina_ctl.cli.terminal.prompt import provider
    from cloacina_ctl.operations.keys import signing_keys

    return signing_keys(values["sign"], provider(values["passphrase_fd"]))


def _request(values: Values, reporter: Reporter, keys: tuple[PrivateKey, ...]) -> PackageRequest:
    from cloacina_ctl.operations.package import PackageRequest
    from cloacina_ctl.operations.packaging.build import BuildRequest
    from cloacina_ctl.operations.packaging.target import choose_target

    target = choose_target(values["format"], values["runtime"], pad=values["pad"])
    return PackageRequest(
        project=values["project"],
        output=values["output"],
        version=values["set_version"],
        overwrite=values["force"],
        keys=keys,
        require_signature=values["require_signature"],
        include_source=values["include_source"],
        build=BuildRequest(
            values["package"], _build_options(values, reporter), load=not values["no_load"]
        ),
        vendor=_vendor_request(values),
        jobs=values["jobs"] or None,
        level=_level(values, target.format),
        limits=limits(values),
        target=target,
        pad=values["pad"],
        sign_fidius=values["sign_fidius"],
    )


def _level(values: Values, form: str) -> int:
    """Return the level that was asked for; only native packages have one to choose."""
    level: int | None = values["level"]
    if level is not None and form != "native":
        raise UsageError.of(Code.USAGE, f"--level is for native packages: `{form}` has one level")
    return 3 if level is None else level


def _build_options(values: Values, reporter: Reporter) -> BuildOptions:
    from cloacina_ctl.operations.packaging.build import BuildOptions

    return BuildOptions(
        profile=values["profile"],
        target=values["target"],
        features=chosen_features(values),
        default_features=not values["no_default_features"],
        locked=values["locked"],
        offline=values["offline"],
        jobs=values["jobs"] or None,
        cargo_flags=values["cargo_flags"],
        quiet=reporter.quiet,
    )


def _vendor_request(values: Values) -> VendorRequest:
    from cloacina_ctl.operations.packaging.vendoring import VendorRequest

    return VendorRequest(
        wanted=True if values["vendor"] else False if values["no_vendor"] else None,
        wheelhouse=values["wheelhouse"],
        python=values["vendor_python"],
        platforms=values["vendor_platform"],
        upgrade=values["upgrade_vendored"],
        locked=values["locked"],
        offline=values["offline"],
        sources=tuple(map(_source, values["vendor_source"])),
    )


def _source(text: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not (name and equals and path):
        raise UsageError.of(
            Code.USAGE, f"--vendor-source: expected NAME=PATH, found: {text[:80]}",
            hint="such as --vendor-source acme-lib=../acme/dist",
        )  # fmt: skip
    return name, path


def _show_plan(prepared: Prepared, form: str, reporter: Reporter) -> None:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.cli.terminal.files import plan_lines

    plan, left_out = prepared.plan, prepared.selection.left_out
    reporter.result(
        {
            "format": form,
            "root": plan.root,
            "size": plan.size,
            "files": [
                {
                    "path": file.path, "size": file.size, "executable": file.executable,
                    "section": file.section if form == "native" else None, "reason": file.reason,
                }
                for file in plan.files
            ],
            "unbuilt": list(prepared.unbuilt),
            "left_out": [one._asdict() for one in left_out],
        },
        prepared.diagnostics,
    )  # fmt: skip
    for line in plan_lines(plan, prepared.unbuilt):
        reporter.line(line)
    for one in left_out:
        if reporter.verbose or one.secret:
            reporter.note(f"left out: {escape(one.path)}: {escape(one.reason)}")


def _show(packaged: Packaged, reporter: Reporter, *, include_source: bool, no_sign: bool) -> None:
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.cli.terminal.units import count, size

    title = f"{packaged.name} {packaged.version}"
    files = count(packaged.files, "file")
    reporter.line(f"{escape(packaged.path)}: {escape(title)}, {files}, {size(packaged.size)}")
    reporter.line(f"content {packaged.content}")
    for keyid in packaged.signed_by:
        reporter.line(f"signed by {keyid[:16]}")
    if not packaged.signed_by:
        _tell_unsigned(packaged, reporter, no_sign=no_sign)
    if packaged.padding:
        reporter.line(f"padded with {size(packaged.padding)}")
    if packaged.sidecar is not None:
        reporter.line(f"signature in {escape(packaged.sidecar)}")
    _tell_secrets(packaged.diagnostics, reporter)
    is_native = packaged.format == "native"
    is_library = is_native and packaged.language.value == "rust" and not include_source
    if is_library and reporter.verbose:
        reporter.note("contains only the compiled library, for runtimes that load native packages")
        reporter.note("--include-source adds the source, so that `convert` can serve the others")


def _tell_unsigned(packaged: Packaged, reporter: Reporter, *, no_sign: bool) -> None:
    """Say how to sign it: where no key was found, with the key first."""
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.operations.sign import sign_command

    command = f"`{escape(sign_command(packaged.path))}`"
    if no_sign:
        reporter.note(f"not signed (--no-sign); to sign it: {command}")
    else:
        reporter.note(
            f"not signed: no key; make one with `cloacina-ctl key generate`, then {command}"
        )


def _tell_secrets(diagnostics: tuple[Diagnostic, ...], reporter: Reporter) -> None:
    """Name what was left out because it may be secret: it may have been meant."""
    from cloacina_ctl.cli.terminal.escape import escape, shorten
    from cloacina_ctl.cli.terminal.units import count

    places = [one.where or "" for one in diagnostics if one.code == Code.SECRET]
    if not places or reporter.verbose:  # which has shown each of them
        return
    more = ["..."] if len(places) > _NAMED else []
    named = ", ".join([escape(shorten(place, _MAX_NAME)) for place in places[:_NAMED]] + more)
    what = count(len(places), "file or folder", "files or folders")
    reporter.note(f"left out {what} that may hold secrets: {named} (--list shows why)")


def _tell_vendoring(diagnostics: tuple[Diagnostic, ...], reporter: Reporter) -> None:
    """Say what was skipped and that a lock was written: notes that are no detail."""
    for one in () if reporter.quiet else diagnostics:
        if one.severity is Severity.NOTE and one.code in (Code.LOCK_FILE, Code.ENGINE_VENDORED):
            reporter.diagnostic(one)


def _tell_changes(changes: tuple[Change, ...], reporter: Reporter) -> None:
    """Name what came into the lock and what went, as uv does; of many only the first."""
    from cloacina_ctl.cli.terminal.escape import escape

    shown = changes if reporter.verbose else changes[:_MOST_CHANGES]
    for one in shown:
        reporter.note(f" {one.sign} {escape(one.name)} {escape(one.version)}")
    if len(shown) < len(changes):
        reporter.note(f"   and {len(changes) - len(shown)} more (-v shows all)")


def _as_json(packaged: Packaged) -> dict[str, object]:
    return {
        "path": packaged.path,
        "format": packaged.format,
        "runtime": packaged.runtime,
        "size": packaged.size,
        "content": packaged.content,
        "name": packaged.name,
        "version": packaged.version,
        "language": packaged.language.value,
        "files": packaged.files,
        "signed_by": list(packaged.signed_by),
        "sidecar": packaged.sidecar,
        "padding": packaged.padding,
        "vendored": [{"name": name, "version": version} for name, version in packaged.vendored],
    }


_NAMED, _MAX_NAME = 3, 100  # of what was left out
_MOST_CHANGES = 20  # of a lock: a screen still shows what comes after them
_VENDORING, _BUILD = "Python dependencies", "Building and fetching"
PACKAGE = Command(
    name="package",
    summary="Make a package of a project.",
    description=(
        "The project is a Rust crate, a Python project with pyproject.toml, or a tree with "
        "package.toml. Nothing of a Python project is run. For a crate cargo is started, which "
        "runs build scripts and macros, and what was built is loaded in a process of its own and "
        "asked for its tasks: where builds are not trusted, package with --no-sign and `sign` "
        f"somewhere else.\n\n{ENVIRONMENT}"
    ),
    run=_run,
    arguments=(Argument("project", "The project's folder.", "."),),
    options=(
        Option(("--output", "-o"), "The package's file (default: NAME-VERSION.cloacina here).",
               metavar="FILE"),
        FORCE,
        Option(("--set-version",),
               "The package's version, in the place of the Python project's; no file of the "
               "project is changed.", metavar="VERSION"),
        Option(("--list",), "Show what would be packed and why; write and build nothing.",
               Kind.FLAG),
        Option(("--include-source",), "Pack the source of a crate too.", Kind.FLAG),
        Option(("--level",), "zstd level, 1 to 19 (default: 3).", Kind.INTEGER, "N"),
        FORMAT,
        RUNTIME,
        PAD,
        SIGN_FIDIUS,
        JOBS,
        LIMIT,
        Option(("--sign",), f"Sign with this key (repeatable): {SIGNER}.",
               Kind.MANY, "KEY", panel="Keys", refers=Refers.KEY),
        Option(("--no-sign",), "Do not sign.", Kind.FLAG, panel="Keys"),
        Option(("--require-signature",), "Make no package that nobody signed.", Kind.FLAG,
               panel="Keys"),
        PASSPHRASE_FD,
        Option(("--package", "-p"), "Which crate of a workspace.", metavar="CRATE", panel=RUST),
        Option(("--profile",), "How to build.", metavar="PROFILE", default="release",
               choices=("release", "dev"), panel=RUST),
        Option(("--target",), "Build for this target triple.", metavar="TRIPLE", panel=RUST),
        *FEATURES,
        Option(("--no-load",),
               "Do not load the library to ask for its tasks; the manifest says so.", Kind.FLAG,
               panel=RUST),
        Option(("--vendor",), "Pack what the project depends on too.", Kind.FLAG,
               panel=_VENDORING),
        Option(("--no-vendor",), "Do not, also where the project is configured so.", Kind.FLAG,
               panel=_VENDORING),
        Option(("--wheelhouse",), "Take wheels from this folder alone.", metavar="DIR",
               panel=_VENDORING),
        Option(("--vendor-source",),
               "Take the wheel of this dependency from here alone: a wheel, or a folder of them "
               "(repeatable).", Kind.MANY, "NAME=PATH", panel=_VENDORING),
        Option(("--vendor-platform",),
               "The runtime's platform, such as manylinux_2_28_x86_64 (repeatable).", Kind.MANY,
               "TAG", panel=_VENDORING),
        Option(("--vendor-python",), "The runtime's Python, such as 3.11.", metavar="X.Y",
               panel=_VENDORING),
        Option(("--upgrade-vendored",), "Choose anew, whatever cloacina.lock says.", Kind.FLAG,
               panel=_VENDORING),
        Option(("--locked",), "Cargo.lock, or cloacina.lock, must be up to date.", Kind.FLAG,
               panel=_BUILD),
        Option(("--offline",), "Fetch nothing.", Kind.FLAG, panel=_BUILD),
    ),
    rest="cargo_flags",
    examples=(
        ("cloacina-ctl package . -o x.cloacina", "this folder"),
        ("cloacina-ctl package . --list", "what would be in it"),
        ("cloacina-ctl package . --runtime 0.10", "what Cloacina 0.10 loads"),
        ("cloacina-ctl package my-crate --locked -- --features extra", "with options for cargo"),
    ),
)  # fmt: skip
