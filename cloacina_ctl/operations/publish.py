"""``publish``: publish a package to a server, and wait until it is loaded.

(1) The file is opened once; it is verified, and checked against the rules of the server's release,
before any request. (2) The server has no later version of it. (3) The bytes that were
verified are sent, and hashed on the way. (4) The build succeeded, (5) the server lists the tasks
that the package declares, and (6), where that is wanted, it ran once. An accepted upload alone is
no success: servers accept what they never load.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, Diagnostic, Incompatible, NetworkProblem, NotTrusted, Severity
from cloacina_ctl.operations.publication.checks import CheckedPackage, check_for_server
from cloacina_ctl.operations.publication.deployment import (
    Pace,
    Run,
    Wait,
    Watch,
    await_build,
    await_tasks,
    run_once,
)
from cloacina_ctl.operations.publication.source import UploadSource, open_for_server
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.releases.table import NEWEST, SOURCE, find_release
from cloacina_ctl.server.client import Server, ServerDenied, ServerRefused
from cloacina_ctl.server.multipart import Upload
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.policy import VerificationPolicy

if TYPE_CHECKING:
    from cloacina_ctl.formats.legacy.reader import LegacyPackage
    from cloacina_ctl.operations.publication.access import ServerAccess
    from cloacina_ctl.releases.table import Release
    from cloacina_ctl.server.client import ServerPackage

__all__ = ["PublishRequest", "Published", "publish"]

DEFAULT_TENANT = "public"
DEFAULT_WAIT_SECONDS = 900
_FIRST_WITH_PREFIX = (0, 5)
_ABOUT_SIGNATURES = ("signature_", "untrusted_signer", "invalid_signature", "package_tampered")


class PublishRequest(NamedTuple):
    """What is published, and how far.

    ``runtime`` is the release of the server. ``wait_seconds`` None means not to wait for the build.
    ``context`` is there where the workflow is to be run once. ``dry_run`` does all but send it,
    ``convert`` sends a source package that is made of a native one.
    """

    path: str
    tenant: str = DEFAULT_TENANT
    rule: VerificationPolicy = VerificationPolicy()
    runtime: str = NEWEST
    wait_seconds: float | None = DEFAULT_WAIT_SECONDS
    context: dict[str, Any] | None = None
    dry_run: bool = False
    convert: bool = False
    ca_file: str | None = None
    pace: Pace = Pace()


class Published(NamedTuple):
    """What became of a package.

    ``status`` is ``checked`` (nothing was sent), ``uploaded`` (and not waited for) or ``loaded``.
    ``tasks`` are those that the server lists, ``run`` is what became of the one execution.
    """

    path: str
    name: str
    version: str
    content: str
    size: int
    server: str
    tenant: str
    status: str
    trusted_signers: tuple[str, ...]
    converted: bool = False
    package_id: str | None = None
    workflow: str | None = None
    tasks: tuple[str, ...] = ()
    run: Run | None = None
    warnings: tuple[Diagnostic, ...] = ()


def publish(
    request: PublishRequest,
    access: ServerAccess,
    watch: Watch | None = None,
    progress: Progress | None = None,
) -> Published:
    """Publish the package; ``watch`` is called for each step of the server.

    Raises ``Refused``, ``NotTrusted`` and ``Incompatible`` for a package that is not sent,
    ``BuildFailed`` with the compiler's words, ``NetworkProblem`` for what the server says or lacks.
    """
    runtime = _runtime(request.runtime)
    with open_for_server(
        request.path, request.rule, runtime, progress, convert=request.convert
    ) as source:  # (1)
        checked = _check(source, runtime, progress)
        package = source.package
        server = Server(
            access.address, request.tenant, access.token, ca_file=request.ca_file,
            routes=_routes(runtime), patience=request.pace.patience,
        )  # fmt: skip
        _refuse_older(server.package(checked.name), checked, request)  # (2)
        published = _as_checked(checked, source, request, access)
        if request.dry_run:
            return published
        sending = stage(progress, "uploading")
        body = Upload(source.fd, package.size, package.digest, package.path, sending)
        package_id = _upload(server, body, checked, request, package)  # (3)
    published = published._replace(status="uploaded", package_id=package_id)
    if request.wait_seconds is None:
        return _with_warning(published, "not known whether it builds and loads: --no-wait")
    wait = request.pace.begin(request.wait_seconds, watch)
    try:
        return _follow(server, published, checked, request, wait)
    except NetworkProblem as error:
        raise _with_what_is_there(error, package_id) from error
    except KeyboardInterrupt:
        wait.report("stopped", f"uploaded as {package_id}; run it again to continue")
        raise


def _as_checked(
    checked: CheckedPackage, source: UploadSource, request: PublishRequest, access: ServerAccess
) -> Published:
    """Return what is to be said of a package that could be sent."""
    return Published(
        path=request.path,
        name=checked.name,
        version=checked.version,
        content=checked.content,
        size=source.package.size,
        server=access.address.url,
        tenant=request.tenant,
        status="checked",
        trusted_signers=checked.trusted_signers,
        workflow=checked.workflow,
        tasks=checked.tasks,
        converted=source.trusted_signers is not None,
        warnings=(*access.warnings, *source.losses, *checked.warnings),
    )


def _with_what_is_there(error: NetworkProblem, package_id: str) -> NetworkProblem:
    """Return the error for a server that was lost after the upload, with what to do then."""
    first = error.diagnostics[0]
    if first.hint is not None or first.code not in (Code.UNREACHABLE, Code.NO_ANSWER):
        return error
    hint = f"it was uploaded as {package_id}: to continue, run the same command again"
    return NetworkProblem(first._replace(hint=hint))


def _check(source: UploadSource, runtime: Release, progress: Progress | None) -> CheckedPackage:
    """Return the checked package; a converted one has the trusted signers of the original."""
    checked = check_for_server(source.package, source.rule, runtime, progress)
    if source.trusted_signers is None:
        return checked
    warnings = tuple(one for one in checked.warnings if one.code is not Code.UNSIGNED)
    return checked._replace(trusted_signers=source.trusted_signers, warnings=warnings)


def _follow(
    server: Server,
    published: Published,
    checked: CheckedPackage,
    request: PublishRequest,
    wait: Wait,
) -> Published:
    """Return what became of the upload."""
    package_id = published.package_id or ""
    built = await_build(server, package_id, checked, wait)  # (4)
    run = None
    if request.context is None:
        loaded = await_tasks(server, built, checked, wait)  # (5)
    else:
        loaded, run = run_once(server, built, checked, request.context, wait)  # (5), (6)
    workflow = loaded.workflow or checked.workflow
    tasks = tuple(sorted(loaded.tasks or ()))
    published = published._replace(status="loaded", tasks=tasks, workflow=workflow, run=run)
    if loaded.tasks is None:
        return _with_warning(published, "this server does not report which tasks it loaded")
    _refuse_absent_tasks(set(checked.tasks) - set(tasks), server)
    others = sorted(set(tasks) - set(checked.tasks))
    if others:
        listed = ", ".join(others)[:300]
        return _with_warning(published, f"the server lists tasks that are not declared: {listed}")
    return published


def _refuse_absent_tasks(absent: set[str], server: Server) -> None:
    """Refuse to call it loaded where a task that the package declares is not there."""
    if absent:
        raise NetworkProblem.of(
            Code.NOT_LOADED,
            f"the build succeeded, and the server lists other tasks; it has not loaded "
            f"{', '.join(sorted(absent))[:300]}",
            where=server.address.url,
            hint="another package may have the name of this workflow: ask the server's operator",
        )


def _runtime(name: str) -> Release:
    runtime = find_release(name)
    if runtime.format != SOURCE:
        raise Incompatible.of(
            Code.OLDER_FORMAT,
            f"Cloacina {runtime.name} has no server",
            hint="use 0.4 or later",
        )
    return runtime


def _routes(runtime: Release) -> str:
    """Return what stands before every route: nothing at 0.4 (read in 0.4.0 and 0.5.0)."""
    return "/v1" if runtime.number >= _FIRST_WITH_PREFIX else ""


def _refuse_older(
    there: ServerPackage | None, checked: CheckedPackage, request: PublishRequest
) -> None:
    """Refuse a version that is older than the active one: it would take its place, or be refused.

    The server itself knows of no order; it refuses what it has had, and lets the rest supersede.
    """
    if there is not None and is_older(checked.version, there.version):
        raise NetworkProblem.of(
            Code.VERSION_TAKEN,
            f"the server has {there.name} {there.version}, which is later than {checked.version}",
            where=request.path,
            hint="to go back, publish the old content under a new version",
        )


def is_older(version: str, other: str) -> bool:
    """Return whether ``version`` comes before ``other``; not where their order is not known."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) < Version(other)
    except InvalidVersion:
        return False


def _upload(
    server: Server,
    body: Upload,
    checked: CheckedPackage,
    request: PublishRequest,
    package: LegacyPackage,
) -> str:
    try:
        return server.upload(body)
    except ServerRefused as error:
        raise _explained(error, checked, request) from error
    except ServerDenied as error:
        raise _with_package_hash(error, package, request) from error


def _with_package_hash(
    error: ServerDenied, package: LegacyPackage, request: PublishRequest
) -> NotTrusted:
    """Return the error with what the operator of a server that wants signatures looks for."""
    if not error.said.code.startswith(_ABOUT_SIGNATURES):
        return error
    first = error.diagnostics[0]
    hint = f"{first.hint or 'ask the operator of the server'}; package_hash {package.digest}"
    if request.convert:
        hint += (
            "; --convert drops signatures: use `convert` and `sign` to make a file with a sidecar"
        )
    return NotTrusted(first._replace(hint=hint))


def _explained(
    error: ServerRefused, checked: CheckedPackage, request: PublishRequest
) -> NetworkProblem:
    """Return the server's no to an upload with what it means and what to do."""
    said, first = error.said, error.diagnostics[0]
    if "already exists" in said.words:
        return NetworkProblem.of(
            Code.VERSION_TAKEN,
            f"{checked.name} {checked.version} was published with other bytes: {said.text}",
            where=request.path,
            hint="a version is published only once, even if its build failed or it was deleted: "
            "raise the version, package and publish again",
        )
    if "search_path" in said.words:
        return NetworkProblem.of(
            Code.NOT_THERE,
            f"the server has no tenant {request.tenant}: {said.text}",
            where=first.where,
            hint="check --tenant; the operator of the server creates tenants",
        )
    if said.status == 413 or "multipart" in said.words:
        return NetworkProblem(
            first._replace(
                hint="it may be too large for this server, or for a proxy in front of it"
            )
        )
    return error


def _with_warning(published: Published, message: str) -> Published:
    warning = Diagnostic(Code.UNPROVED, message, published.server, None, Severity.WARNING)
    return published._replace(warnings=(*published.warnings, warning))
