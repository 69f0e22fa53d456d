"""``verify``: whether every byte of a package is the right one, and who vouches for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.archive.payload import Nowhere, pour
from cloacina_ctl.archive.reader import open_package
from cloacina_ctl.archive.workers import default_jobs
from cloacina_ctl.errors import Diagnostic, NotTrusted
from cloacina_ctl.operations import authenticity
from cloacina_ctl.operations.authenticity import Rule
from cloacina_ctl.operations.progress import Progress, stage
from cloacina_ctl.operations.views import SignatureView, signature_view
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.digest import Digest
    from cloacina_ctl.signing.judge import Judged


class Verified(NamedTuple):
    """What was proved of a package; ``complete`` is false where sections are withheld.

    ``vouched_by`` holds the fingerprints of the known keys that signed it: empty only where the
    rule allowed that.
    """

    path: str
    size: int
    name: str
    version: str
    content: str
    head: Digest
    files: int
    signatures: tuple[SignatureView, ...]
    vouched_by: tuple[str, ...]
    complete: bool


def verify(path: str, rule: Rule = Rule(), progress: Progress | None = None) -> Verified:
    """Prove every byte of the package at ``path`` (``-`` is standard input), and who vouches.

    Raises ``Refused`` for what is no whole package, ``NotTrusted`` where the rule is not met. That
    nobody vouches is said last, when it is known that the content is whole.
    """
    authenticity.check_rule(rule)
    known = authenticity.keys_that_count(rule)
    with open_package(path, rule.limits) as package:  # (1)
        judged = authenticity.judge_unread(package, known)  # (2)
        authenticity.refuse_failed_signatures(judged, path)
        head = package.head  # (4)
        judged = authenticity.judge_read(package, judged)  # (5)
        authenticity.refuse_failed_signatures(judged, path)
        authenticity.check_pins(head, rule, path)  # (6)
        jobs = rule.jobs or default_jobs()
        poured = pour(package, Nowhere(), jobs=jobs, progress=stage(progress, "verifying"))  # (7)
        vouched = _require_after_all(judged, rule, path)  # (3), late: the answer says both
        return Verified(
            path=path,
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


def _require_after_all(judged: tuple[Judged, ...], rule: Rule, path: str) -> tuple[str, ...]:
    try:
        return authenticity.require(judged, rule, path)
    except NotTrusted as error:
        first, *others = error.diagnostics
        whole = first._replace(message=f"the content is whole, but {first.message}")
        raise NotTrusted(Diagnostic(*whole), *others) from error
