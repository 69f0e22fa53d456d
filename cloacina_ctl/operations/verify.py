"""``verify``: whether every byte of a package is the right one, and who vouches for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.formats.native.payload import Nowhere, pour
from cloacina_ctl.formats.native.reader import Package
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.formats.threads import default_jobs
from cloacina_ctl.operations.results import Verified
from cloacina_ctl.operations.views import signature_view
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.verification import authenticity
from cloacina_ctl.verification.authenticity import Rule

if TYPE_CHECKING:
    from cloacina_ctl.formats.legacy.reader import ForeignPackage
    from cloacina_ctl.signing.judge import KnownKey

__all__ = ["Verified", "verify", "verify_open"]


def verify(path: str, rule: Rule = Rule(), progress: Progress | None = None) -> Verified:
    """Prove every byte of the package at ``path`` (``-`` is standard input), and who vouches.

    Raises ``Refused`` for what is no whole package, ``NotTrusted`` where the rule is not met. That
    nobody vouches is said last, when it is known that the content is whole.
    """
    authenticity.check_rule(rule)
    known = authenticity.keys_that_count(rule)
    with open_any(path, rule.limits) as package:  # (1)
        return verify_open(package, rule, known, progress)


def verify_open(
    package: Package | ForeignPackage,
    rule: Rule,
    known: tuple[KnownKey, ...],
    progress: Progress | None = None,
) -> Verified:
    """Prove every byte of an open package, and who of the ``known`` vouches, as ``verify`` does."""
    path = package.path
    if not isinstance(package, Package):
        from cloacina_ctl.operations.foreign import verify_foreign

        return verify_foreign(package, rule, known, progress)
    authenticity.refuse_sidecar(rule)
    judged = authenticity.judge_unread(package, known)  # (2)
    authenticity.refuse_failed_signatures(judged, path)
    head = package.head  # (4)
    judged = authenticity.judge_read(package, judged)  # (5)
    authenticity.refuse_failed_signatures(judged, path)
    authenticity.check_pins(head, rule, path)  # (6)
    jobs = rule.jobs or default_jobs()
    poured = pour(package, Nowhere(), jobs=jobs, progress=stage(progress, "verifying"))  # (7)
    vouched = authenticity.require_after_all(judged, rule, path)  # (3), late: it says both
    return Verified(
        path=path,
        format="native",
        size=package.size,
        name=head.manifest.package.name,
        version=head.manifest.package.version,
        content=head.content,
        head=package.head_digest,
        files=len(poured.files),
        signatures=tuple(map(signature_view, judged)),
        vouched_by=vouched,
        complete=poured.complete,
    )
