"""``install``: a package into the local registry, when every byte of it is proved.

The bytes are copied first and verified as they lie in the registry, where no one else writes to
them: what was verified is what is stored. Then one step makes the version the active one.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.clock import now_utc
from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.formats.native.reader import STDIN
from cloacina_ctl.formats.opening import descriptor, open_descriptor, require_package_file
from cloacina_ctl.operations.installation.lookup import (
    DEFAULT_TENANT,
    InstalledPackage,
    registry_at,
    shown,
)
from cloacina_ctl.operations.results import Verified
from cloacina_ctl.progress import stage
from cloacina_ctl.registry.layout import check_name, check_tenant
from cloacina_ctl.registry.records import Stored, Trust
from cloacina_ctl.registry.store import Registry
from cloacina_ctl.signing.sidecar import MAX_SIDECAR, sidecar_path
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.policy import VerificationPolicy, check_policy, verification_keys
from cloacina_ctl.verification.verify import prove

if TYPE_CHECKING:
    from cloacina_ctl.files.locks import Waits
    from cloacina_ctl.operations.results import SignatureView
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.registry.files import IncomingFile
    from cloacina_ctl.registry.store import Activation

__all__ = ["InstallRequest", "Installed", "install"]


class InstallRequest(NamedTuple):
    """What to install (``-`` is standard input), by which rule, and where.

    ``registry`` None means the user's own. ``replace`` puts it in the place of another package of
    its name and version.
    """

    path: str
    rule: VerificationPolicy = VerificationPolicy()
    tenant: str = DEFAULT_TENANT
    registry: str | None = None
    replace: bool = False


class Installed(NamedTuple):
    """What is in the registry now; ``before`` is the version that was active.

    ``changed`` is false where this very file was there, whole, and active already; ``repaired``
    where it was there and damaged.
    """

    path: str
    registry: str
    package: InstalledPackage
    before: str | None
    changed: bool
    repaired: bool
    signatures: tuple[SignatureView, ...]


def install(
    request: InstallRequest, progress: Progress | None = None, waits: Waits = contextlib.nullcontext
) -> Installed:
    """Put the package into the registry and make its version the active one.

    ``waits`` is entered while another program holds the registry. Raises what ``verify`` does;
    ``FileProblem`` where another package of its name and version is there, or the registry cannot
    be written. Nothing is in it then that was not before.
    """
    check_policy(request.rule)
    tenant = check_tenant(request.tenant)
    source = descriptor(request.path, request.rule.limits)
    try:
        require_package_file(source, request.path)
        folder = registry_at(request.registry)
        registry = Registry(folder, waits=waits)
        registry.prepare()
        with registry.incoming() as package:
            package.copy_from(source, request.path, stage(progress, "copying"))
            beside = read_beside(request)
            verified = _verify_copy(package, request, progress)
            if verified.format == "native":
                beside = None
            elif beside != read_beside(request):
                raise _changed(request)
            stored = _stored(tenant, verified, package, _trust(request.rule, verified))
            change = _add(registry, stored, package, beside, replace=request.replace)
            there = registry.find(tenant, stored.name, stored.version)
            return Installed(
                path=request.path,
                registry=folder,
                package=shown(registry, there, active=True),
                before=change.before,
                changed=change.changed,
                repaired=change.repaired,
                signatures=verified.signatures,
            )
    finally:
        os.close(source)


def _changed(request: InstallRequest) -> Refused:
    where = request.rule.signature or request.path
    return Refused.of(Code.CHANGED, "the signature changed during the installation", where=where)


def _add(
    registry: Registry,
    stored: Stored,
    package: IncomingFile,
    beside: bytes | None,
    *,
    replace: bool,
) -> Activation:
    """Put the package in, and the signature that lay beside it."""
    if beside is None:
        return registry.add(stored, package, None, replace=replace)
    with registry.incoming() as sidecar:
        sidecar.write(beside)
        stored = stored._replace(sidecar=str(sidecar.digest))
        return registry.add(stored, package, sidecar, replace=replace)


def _verify_copy(
    package: IncomingFile, request: InstallRequest, progress: Progress | None
) -> Verified:
    """Verify what was copied, under the name that it came by."""
    with open_descriptor(os.dup(package.fd), request.path, request.rule.limits) as opened:
        return Verified.of(prove(opened, request.rule, progress))


def read_beside(request: InstallRequest) -> bytes | None:
    """Return the signature that lies beside the package, if there is one and it may count."""
    from cloacina_ctl.files.ownership import is_there
    from cloacina_ctl.signing.files import read_regular

    path = request.rule.signature
    if path is None:
        if request.path == STDIN:
            return None
        path = sidecar_path(request.path)
        if not is_there(path):
            return None
    data, _ = read_regular(path, MAX_SIDECAR)
    return data


def _trust(rule: VerificationPolicy, verified: Verified) -> Trust:
    named = verification_keys(rule) if rule.keys else ()
    return Trust(
        verified_at=now_utc(),
        trusted_signers=verified.trusted_signers,
        keys=tuple(one.key.fingerprint for one in named),
        threshold=rule.threshold,
        allow_unsigned=rule.allow_unsigned,
        signatures=tuple(signature.to_json() for signature in verified.signatures),
    )


def _stored(tenant: str, verified: Verified, package: IncomingFile, trust: Trust) -> Stored:
    return Stored(
        tenant=tenant,
        name=check_name(verified.name, verified.path),
        version=check_name(verified.version, verified.path),
        format=verified.format,
        digest=str(package.digest),
        size=package.size,
        content=verified.content,
        sidecar=None,
        installed_at=trust.verified_at,
        trust=trust,
    )
