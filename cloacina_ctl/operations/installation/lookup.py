"""What is in the local registry, for every verb that uses it: names, answers, and the way in.

``find_installed`` turns ``NAME[@VERSION]`` into a path and the rule that the file must meet, for
whatever takes a path and a rule; ``open_installed`` opens it at once.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl import settings
from cloacina_ctl.errors import Code, NotTrusted, UsageError
from cloacina_ctl.operations.installation.damage import damaged, explain_damage
from cloacina_ctl.redaction import refuse_secret_text
from cloacina_ctl.registry.layout import DEFAULT_TENANT, check_tenant
from cloacina_ctl.registry.store import Registry
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.policy import VerificationPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.formats.package import Package
    from cloacina_ctl.manifest.canonical import JsonObject
    from cloacina_ctl.registry.records import Stored

__all__ = [
    "DEFAULT_TENANT", "Found", "InstalledPackage", "find_installed",
    "open_installed", "parse_spec", "registry_at",
]  # fmt: skip


class InstalledPackage(NamedTuple):
    """A version in the registry, and why it was let in.

    ``path`` is its file there, ``digest`` the SHA-256 of the file's bytes; times are UTC.
    ``trusted_signers`` are the fingerprints that counted at ``verified_at``, by ``rule``.
    """

    tenant: str
    name: str
    version: str
    active: bool
    format: str
    content: str
    digest: str
    size: int
    path: str
    installed_at: str
    verified_at: str
    trusted_signers: tuple[str, ...]
    rule: JsonObject

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {**self._asdict(), "trusted_signers": list(self.trusted_signers)}


class Found(NamedTuple):
    """An installed package, and the rule that makes sure that the file is still the one."""

    installed: InstalledPackage
    path: str
    rule: VerificationPolicy


def registry_at(folder: str | None) -> str:
    """Return the folder of the registry: the one that is named, else the user's."""
    refuse_secret_text(folder or "", "--registry")
    path = os.path.abspath(folder) if folder else settings.registry_folder()
    try:
        os.fsencode(path)
    except UnicodeEncodeError:  # the settings are UTF-8, and this locale has no such letters
        return os.fsdecode(path.encode("utf-8", "surrogateescape"))
    return path


def parse_spec(spec: str) -> tuple[str, str | None]:
    """Return name and version of ``NAME`` or ``NAME@VERSION``."""
    name, at, version = spec.rpartition("@")
    if not at:
        return spec, None
    if not name or not version:
        raise UsageError.of(Code.USAGE, f"expected NAME or NAME@VERSION, found: {spec[:200]}")
    return name, version


def shown(registry: Registry, stored: Stored, *, active: bool) -> InstalledPackage:
    """Return a version as the verbs show it."""
    trust = stored.trust
    return InstalledPackage(
        tenant=stored.tenant,
        name=stored.name,
        version=stored.version,
        active=active,
        format=stored.format,
        content=stored.content,
        digest=stored.digest,
        size=stored.size,
        path=registry.package_path(stored),
        installed_at=stored.installed_at,
        verified_at=trust.verified_at,
        trusted_signers=trust.trusted_signers,
        rule=trust.rule_to_json(),
    )


def find_installed(
    spec: str,
    rule: VerificationPolicy = VerificationPolicy(),
    *,
    tenant: str = DEFAULT_TENANT,
    registry: str | None = None,
) -> Found:
    """Return where ``NAME[@VERSION]`` lies, without a version the active one.

    The rule that comes with it pins the name, version and content that were installed. Whose
    signature it needs: where ``rule`` names keys or a threshold, theirs; else, where trusted keys
    signed it when it was installed, one of a key that is trusted now; else none, for what was
    decided then, with --key or --allow-unsigned, holds. Raises ``FileProblem`` where it is not
    installed, ``Refused`` where its file can be seen not to be the one, ``NotTrusted`` where such a
    decision stands in a folder that others can write to.
    """
    name, version = parse_spec(spec)
    folder = registry_at(registry)
    opened = Registry(folder)
    stored = opened.find(check_tenant(tenant), name, version)
    active = version is None or opened.find(tenant, name).version == stored.version
    decided = not rule.keys and rule.threshold == 1 and not _by_trusted_keys(stored)
    if decided and not rule.allow_unsigned:
        _refuse_shared(folder, opened.deciding_paths(stored))
    installed = shown(opened, stored, active=active)
    sidecar = opened.sidecar_path(stored)
    _refuse_damaged(stored, installed.path, sidecar)
    wanted = rule._replace(
        name=rule.name or stored.name,
        version=rule.version or stored.version,
        content=rule.content or stored.content,
        signature=rule.signature or sidecar,
        allow_unsigned=rule.allow_unsigned or decided,
    )
    return Found(installed=installed, path=installed.path, rule=wanted)


@contextlib.contextmanager
def open_installed(
    spec: str,
    rule: VerificationPolicy = VerificationPolicy(),
    *,
    tenant: str = DEFAULT_TENANT,
    registry: str | None = None,
) -> Iterator[tuple[InstalledPackage, Package]]:
    """Open the installed ``NAME[@VERSION]`` when every byte of it and its signature are verified.

    What is read from it afterwards is proved again as it is read. Raises what ``find_installed``
    and ``verify`` raise.
    """
    from cloacina_ctl.formats.opening import open_any
    from cloacina_ctl.verification.verify import begin

    found = find_installed(spec, rule, tenant=tenant, registry=registry)
    with contextlib.ExitStack() as opened:
        with explain_damage(found.path, found.rule):
            package = open_any(found.path, found.rule.limits)
            opened.enter_context(package)
            begin(package, found.rule).stream()
        yield found.installed, package


def _by_trusted_keys(stored: Stored) -> bool:
    return bool(stored.trust.trusted_signers) and not stored.trust.keys


def _refuse_damaged(stored: Stored, path: str, sidecar: str | None) -> None:
    """Refuse what can be seen to be another file without reading it; a signature is read."""
    from cloacina_ctl.registry.files import is_whole, seen_damage

    named = f"{stored.name}@{stored.version}"
    what = seen_damage(path, stored.size)
    if what is not None:
        raise damaged(named, what, path)
    if sidecar is not None and not is_whole(sidecar, str(stored.sidecar)):
        raise damaged(named, "the signature that was installed with it is damaged", sidecar)


def _refuse_shared(folder: str, paths: Iterable[str]) -> None:
    """Refuse to take the registry's word where others may have written what it goes by."""
    from cloacina_ctl.files.ownership import quoted

    where = _open_to_others(folder, paths)
    if where is not None:
        raise NotTrusted.of(
            Code.UNSIGNED,
            "no trusted key has signed it, and other users can write to the registry",
            where=where,
            hint="name the key that signed it: --key; or make the folder private, "
            f"chmod -R go-w {quoted(folder)}, and install it again",
        )


def _open_to_others(folder: str, paths: Iterable[str]) -> str | None:
    """Return what others than the user may have written: of ``paths``, or on the way to them."""
    from cloacina_ctl.files.ownership import find_shared, is_own, others_can_write
    from cloacina_ctl.files.staging import reported

    with reported(folder):
        shared = find_shared(folder)
    if shared is not None:
        return shared[0].path
    for path in paths:
        with reported(path), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            found = os.stat(path)
            if not is_own(found) or others_can_write(found):
                return path
    return None
