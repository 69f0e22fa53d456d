"""``cloacina-ctl package``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.parsing.declaration import (
    Command,
    Options,
    argument,
    choice,
    flag,
    group,
    number,
    option,
    repeatable,
    rest,
)
from cloacina_ctl.cli.parsing.options import (
    ENVIRONMENT,
    FORCE,
    JOBS,
    SIGNER,
    FeatureOptions,
    LimitOptions,
    PassphraseOptions,
    TargetOptions,
)
from cloacina_ctl.errors import Code, Severity, UsageError

if TYPE_CHECKING:
    from cloacina_ctl.cli.terminal.reporter import Reporter
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.operations.package import Packaged, PackageRequest, Prepared
    from cloacina_ctl.operations.packaging.build import BuildOptions
    from cloacina_ctl.operations.packaging.vendoring import VendorRequest
    from cloacina_ctl.signing.keys import PrivateKey
    from cloacina_ctl.vendoring.notes import LockChange


class _TargetOptions(TargetOptions):
    """The release that the package is for, and additions for it."""

    sign_fidius = flag(
        "--sign-fidius",
        "Also put package.sig, the signature that fidius' programs read, into a source package.",
    )


class _SigningOptions(Options, panel="Keys"):
    """The keys that sign the package."""

    keys = repeatable("--sign KEY", f"Sign with this key (repeatable): {SIGNER}.", refers="key")
    off = flag("--no-sign", "Do not sign.")
    required = flag("--require-signature", "Fail instead of writing an unsigned package.")
    passphrase = group(PassphraseOptions)


class _CrateOptions(Options, panel=FeatureOptions.panel):
    """The build of a crate."""

    package = option("--package -p CRATE", "The crate of a workspace.")
    profile = choice("--profile", "The build profile.", ("release", "dev"), default="release")
    target = option("--target TRIPLE", "Build for this target triple.")
    features = group(FeatureOptions)
    no_load = flag(
        "--no-load", "Do not load the built library to read its tasks; the manifest records this."
    )


class _VendoringOptions(Options, panel="Python dependencies"):
    """Packing the dependencies of a Python project."""

    on = flag("--vendor", "Also pack the project's dependencies.")
    off = flag(
        "--no-vendor", "Do not pack dependencies, even if the project's configuration says so."
    )
    wheelhouse = option("--wheelhouse DIR", "Take wheels only from this folder.")
    sources = repeatable(
        "--vendor-source NAME=PATH",
        "Take the wheel of this dependency only from PATH, a wheel or a folder of wheels "
        "(repeatable).",
    )
    platforms = repeatable(
        "--vendor-platform TAG",
        "The platform to vendor for, such as manylinux_2_28_x86_64 (repeatable).",
    )
    python = option("--vendor-python X.Y", "The Python version to vendor for, such as 3.11.")
    upgrade = flag(
        "--upgrade-vendored",
        "Upgrade the vendored packages to their newest allowed versions and update the lock file.",
    )


class _FetchingOptions(Options, panel="Building and fetching"):
    """Limits for cargo, uv and pip."""

    locked = flag("--locked", "Fail if Cargo.lock, or pylock.cloacina.toml, is not up to date.")
    offline = flag("--offline", "Use no network.")


class _PackageOptions(Options):
    project = argument("PROJECT", "The project's folder.", ".")
    output = option("--output -o FILE", "The package's file (default: NAME-VERSION.cloacina here).")
    force = FORCE
    version = option(
        "--set-version VERSION",
        "The package's version, instead of the Python project's; no file of the project is "
        "changed.",
    )
    list_only = flag(
        "--list", "Show which files would be packed, and why; write and build nothing."
    )
    include_source = flag("--include-source", "Also pack the source of a crate.")
    level = number("--level N", "zstd level, 1 to 19 (default: 3).")
    target = group(_TargetOptions)
    jobs = JOBS
    limits = group(LimitOptions)
    signing = group(_SigningOptions)
    crate = group(_CrateOptions)
    vendoring = group(_VendoringOptions)
    fetching = group(_FetchingOptions)
    cargo_flags = rest("CARGO_FLAGS", "Options for cargo, after `--`.")


def _run(options: _PackageOptions, reporter: Reporter) -> int:
    from cloacina_ctl.operations.package import package, prepare

    if options.list_only:
        request = _request(options, reporter, ())
        prepared = prepare(request, reporter.progress())
        _show_plan(prepared, request.target.format, reporter)
        reporter.warnings(prepared.diagnostics)
        if not reporter.verbose:  # --verbose has printed all notes
            _show_vendoring(prepared.diagnostics, reporter)
        _show_changes(prepared.vendored.changes if prepared.vendored else (), reporter)
        return 0
    packaged = package(_request(options, reporter, _keys(options)), reporter.progress())
    reporter.result(_as_json(packaged), packaged.diagnostics)
    reporter.warnings(packaged.diagnostics)
    if not reporter.verbose:  # --verbose has printed all notes
        _show_vendoring(packaged.diagnostics, reporter)
    _show_changes(packaged.changes, reporter)
    _show(packaged, reporter, include_source=options.include_source, no_sign=options.signing.off)
    return 0


def _keys(options: _PackageOptions) -> tuple[PrivateKey, ...]:
    if options.signing.off:
        return ()
    from cloacina_ctl.operations.keys import signing_keys

    return signing_keys(options.signing.keys, options.signing.passphrase.provider())


def _request(
    options: _PackageOptions, reporter: Reporter, keys: tuple[PrivateKey, ...]
) -> PackageRequest:
    from cloacina_ctl.operations.package import PackageRequest
    from cloacina_ctl.operations.packaging.build import BuildRequest

    target = options.target.choose()
    return PackageRequest(
        project=options.project,
        output=options.output,
        version=options.version,
        overwrite=options.force,
        keys=keys,
        require_signature=options.signing.required,
        include_source=options.include_source,
        build=BuildRequest(
            options.crate.package,
            _build_options(options, reporter),
            load=not options.crate.no_load,
        ),
        vendor=_vendor_request(options.vendoring, options.fetching),
        jobs=options.jobs or None,
        level=_level(options.level, target.format),
        limits=options.limits.read(),
        target=target,
        pad=options.target.pad,
        sign_fidius=options.target.sign_fidius,
    )


def _level(level: int | None, form: str) -> int:
    """Return the compression level; only native packages let the user choose one."""
    if level is not None and form != "native":
        raise UsageError.of(Code.USAGE, f"--level is for native packages only, not for `{form}`")
    return 3 if level is None else level


def _build_options(options: _PackageOptions, reporter: Reporter) -> BuildOptions:
    from cloacina_ctl.operations.packaging.build import BuildOptions

    return BuildOptions(
        profile=options.crate.profile,
        target=options.crate.target,
        features=options.crate.features.chosen(),
        default_features=not options.crate.features.no_default,
        locked=options.fetching.locked,
        offline=options.fetching.offline,
        jobs=options.jobs or None,
        cargo_flags=options.cargo_flags,
        quiet=reporter.quiet,
    )


def _vendor_request(options: _VendoringOptions, fetching: _FetchingOptions) -> VendorRequest:
    from cloacina_ctl.operations.packaging.vendoring import VendorRequest

    return VendorRequest(
        wanted=True if options.on else False if options.off else None,
        wheelhouse=options.wheelhouse,
        python=options.python,
        platforms=options.platforms,
        upgrade=options.upgrade,
        locked=fetching.locked,
        offline=fetching.offline,
        sources=tuple(map(_source, options.sources)),
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
    for fingerprint in packaged.signed_by:
        reporter.line(f"signed by {fingerprint[:16]}")
    if not packaged.signed_by:
        _show_unsigned(packaged, reporter, no_sign=no_sign)
    if packaged.padding:
        reporter.line(f"padded with {size(packaged.padding)}")
    if packaged.sidecar is not None:
        reporter.line(f"signature in {escape(packaged.sidecar)}")
    _show_secrets(packaged.diagnostics, reporter)
    is_native = packaged.format == "native"
    is_library = is_native and packaged.language.value == "rust" and not include_source
    if is_library and reporter.verbose:
        reporter.note("contains only the compiled library, for releases that load native packages")
        reporter.note(
            "--include-source adds the source, so that `convert` can serve other releases"
        )


def _show_unsigned(packaged: Packaged, reporter: Reporter, *, no_sign: bool) -> None:
    """Say how to sign it; where no key was found, how to make one first."""
    from cloacina_ctl.cli.terminal.escape import escape
    from cloacina_ctl.operations.sign import sign_command

    command = f"`{escape(sign_command(packaged.path))}`"
    if no_sign:
        reporter.note(f"not signed (--no-sign); to sign it: {command}")
    else:
        reporter.note(
            f"not signed: no key; make one with `cloacina-ctl key generate`, then run {command}"
        )


def _show_secrets(diagnostics: tuple[Diagnostic, ...], reporter: Reporter) -> None:
    """Name the files left out as possible secrets: the user may have wanted to pack them."""
    from cloacina_ctl.cli.terminal.escape import escape, shorten
    from cloacina_ctl.cli.terminal.units import count

    places = [one.where or "" for one in diagnostics if one.code == Code.SECRET]
    if not places or reporter.verbose:  # --verbose has printed each of them
        return
    more = ["..."] if len(places) > _NAMED else []
    named = ", ".join([escape(shorten(place, _MAX_NAME)) for place in places[:_NAMED]] + more)
    what = count(len(places), "file or folder", "files or folders")
    reporter.note(f"left out {what} that may hold secrets: {named} (--list shows why)")


def _show_vendoring(diagnostics: tuple[Diagnostic, ...], reporter: Reporter) -> None:
    """Print the notes on skipped packages and on a written lock, also without --verbose."""
    for one in () if reporter.quiet else diagnostics:
        if one.severity is Severity.NOTE and one.code in (Code.LOCK_FILE, Code.ENGINE_VENDORED):
            reporter.diagnostic(one)


def _show_changes(changes: tuple[LockChange, ...], reporter: Reporter) -> None:
    """Print the additions to and removals from the lock, as uv does; at most the first few."""
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


_NAMED, _MAX_NAME = 3, 100  # of the files left out
_MOST_CHANGES = 20  # of a lock: the output after them still fits on the screen
PACKAGE = Command(
    name="package",
    summary="Build a package from a project.",
    description=(
        "The project is a Rust crate, a Python project with pyproject.toml, or a tree with "
        "package.toml. No code of a Python project is run. A crate is built with cargo, which runs "
        "build scripts and macros, and the built library is loaded in a separate process to read "
        "its tasks. If you do not trust the build, package with --no-sign and run `sign` on "
        f"another machine.\n\n{ENVIRONMENT}"
    ),
    takes=_PackageOptions,
    run=_run,
    exclusive=(
        ("--sign", "--no-sign"),
        ("--require-signature", "--no-sign"),
        ("--vendor", "--no-vendor"),
        ("--upgrade-vendored", "--locked"),
    ),
    examples=(
        ("cloacina-ctl package . -o x.cloacina", "this folder"),
        ("cloacina-ctl package . --list", "the files that would be packed"),
        ("cloacina-ctl package . --runtime 0.10", "for Cloacina 0.10"),
        ("cloacina-ctl package my-crate --locked -- --features extra", "with options for cargo"),
    ),
)  # fmt: skip
