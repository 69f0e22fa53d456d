"""A package that is verified by the rule of ``verify`` and then loaded, in a child process.

The argument is that of ``authenticity``, and ends with: (8) what the child gets is what (7) proved,
and nothing of it is loaded before somebody vouches; (9) what the loaded code says of its tasks and
its interface is what the manifest says.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from cloacina_ctl.archive.opening import open_any
from cloacina_ctl.archive.reader import Package
from cloacina_ctl.archive.workers import default_jobs
from cloacina_ctl.errors import Diagnostic, Refused, Severity
from cloacina_ctl.operations import authenticity
from cloacina_ctl.operations.authenticity import Rule
from cloacina_ctl.runtime.comparing import disagreements
from cloacina_ctl.runtime.isolation import HostLimits, HostOptions
from cloacina_ctl.runtime.opening import Foreign, choose_artifact, load, take_native
from cloacina_ctl.runtime.session import Preparation
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.archive.foreign.package import ForeignPackage
    from cloacina_ctl.manifest.model import Artifact, Workflow
    from cloacina_ctl.operations.progress import Progress
    from cloacina_ctl.runtime.described import Described
    from cloacina_ctl.runtime.material import Material
    from cloacina_ctl.runtime.session import Session
    from cloacina_ctl.signing.judge import KnownKey

__all__ = ["HostLimits", "HostOptions", "Loaded", "load_package"]


class Loaded(NamedTuple):
    """A loaded package, and what was proved of it: names, identity, who vouches by fingerprint.

    ``workflows`` are what the manifest says, or where it cannot, what the code says. ``warnings``
    are what is odd about the package; what is noticed while it runs is the session's to tell.
    """

    name: str
    version: str
    content: str
    vouched_by: tuple[str, ...]
    workflows: tuple[Workflow, ...]
    session: Session
    warnings: tuple[Diagnostic, ...] = ()


class _Verified(NamedTuple):
    """What is known once every byte that gets loaded was proved."""

    name: str
    version: str
    content: str
    vouched_by: tuple[str, ...]
    workflows: tuple[Workflow, ...]
    artifacts: tuple[Artifact, ...]
    is_native: bool


@contextlib.contextmanager
def load_package(
    path: str,
    rule: Rule = Rule(),
    options: HostOptions = HostOptions(),
    progress: Progress | None = None,
) -> Iterator[Loaded]:
    """Verify the package at ``path`` and load it; the child process ends with the block.

    Raises what ``verify`` raises, before anything is loaded; ``Incompatible`` where it holds
    nothing for this machine; ``Refused`` for code that cannot be loaded or is not what the
    manifest says.
    """
    authenticity.check_rule(rule)
    with Preparation(path, options) as ready:
        verified = _take(path, rule, ready.material, progress)
        with load(ready) as session:
            workflows, warnings = _compare(verified, session.describe(), path)
            yield Loaded(
                name=verified.name,
                version=verified.version,
                content=verified.content,
                vouched_by=verified.vouched_by,
                workflows=workflows,
                session=session,
                warnings=warnings,
            )


def _take(path: str, rule: Rule, material: Material, progress: Progress | None) -> _Verified:
    known = authenticity.keys_that_count(rule)
    with open_any(path, rule.limits) as package:  # (1)
        if not isinstance(package, Package):
            return _take_foreign(package, rule, known, material, progress)
        vouched_by = authenticity.vouch(package, rule, known).vouched_by  # (2) to (6)
        head = package.head
        take_native(package, material, jobs=rule.jobs or default_jobs())  # (7), (8)
        manifest = head.manifest
        return _Verified(
            name=manifest.package.name,
            version=manifest.package.version,
            content=head.content,
            vouched_by=vouched_by,
            workflows=manifest.workflows,
            artifacts=manifest.artifacts,
            is_native=True,
        )


def _take_foreign(
    package: ForeignPackage,
    rule: Rule,
    known: tuple[KnownKey, ...],
    material: Material,
    progress: Progress | None,
) -> _Verified:
    """Prove and take a package of another generation, in one pass as ``foreign`` does."""
    from cloacina_ctl.digest import CONTENT_PREFIX
    from cloacina_ctl.operations.foreign import name_of
    from cloacina_ctl.operations.foreign_reading import look_into
    from cloacina_ctl.operations.foreign_signatures import TreeSink, judge_beside
    from cloacina_ctl.operations.foreign_view import view_of

    path = package.path
    if rule.content is not None:
        found = {"content": CONTENT_PREFIX + package.digest}
        authenticity.check_identity(found, rule, path)
    judged = judge_beside(package, known, rule.signature)
    authenticity.refuse_failed_signatures(judged, path)
    with Foreign(material) as taking:
        tree = TreeSink(taking.sink)
        looked = look_into(package, tree, progress)
        contents = looked.contents
        judged = (*judged, *tree.judge(package, contents, known))
        vouched = authenticity.require(judged, rule, path)
        name, version = name_of(contents)
        authenticity.check_identity({"name": name, "version": version}, rule, path)
        taking.settle(contents)
        return _Verified(
            name=name,
            version=version,
            content=contents.content,
            vouched_by=vouched,
            workflows=view_of(looked).workflows,
            artifacts=(),
            is_native=False,
        )


def _compare(
    verified: _Verified, described: Described, path: str
) -> tuple[tuple[Workflow, ...], tuple[Diagnostic, ...]]:
    """Return the workflows, and what the code says otherwise (9).

    A native manifest that the code contradicts is refused. What another generation's package says
    was derived from its sources, or has no fingerprint to hold it against: there the code is right.
    """
    from cloacina_ctl.platforms.tags import host_platform
    from cloacina_ctl.runtime.described import workflow_of

    own = workflow_of(described)
    if not verified.workflows:
        return () if own is None else (own,), ()
    said = next((one for one in verified.workflows if one.name == described.workflow), None)
    interface = None
    if verified.is_native and described.interface.kind != "python":
        interface = choose_artifact(verified.artifacts, host_platform(), where=path).interface
    found = disagreements(said or verified.workflows[0], interface, described, path)
    if not found:
        return verified.workflows, ()
    if verified.is_native:
        raise Refused(*found)
    warnings = tuple(one._replace(severity=Severity.WARNING) for one in found)
    return verified.workflows if own is None else (own,), warnings
