"""Proving a package of another generation: the argument of ``authenticity``, for one without head.

What vouches is a sidecar over the whole file, or a ``package.sig`` among the files. So it reads:

(1) The file is a regular file, opened once. (2) A sidecar is judged over the digest of all its
bytes before any of them is decompressed; one of a known key that fails ends everything. (3) In the
same pass the archive is proved to be exactly one whole package, and a ``package.sig`` in it is
judged; the bytes of that pass have the digest of (2). (4) Enough known keys vouch, and (5) the
package is the one that was pinned, before anything of it appears.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.digest import CONTENT_PREFIX
from cloacina_ctl.formats.legacy.model import ProviderManifest
from cloacina_ctl.formats.legacy.streams import GZIP
from cloacina_ctl.verification import authenticity
from cloacina_ctl.verification.tree_signature import TreeSink, judge_beside

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloacina_ctl.formats.legacy.reader import Contents, ForeignPackage
    from cloacina_ctl.formats.native.payload import Sink
    from cloacina_ctl.signing.judge import Judged, KnownKey
    from cloacina_ctl.verification.authenticity import Rule


def prove(
    package: ForeignPackage,
    rule: Rule,
    known: tuple[KnownKey, ...],
    sink: Sink,
    read: Callable[[Sink], Contents],
    *,
    early: bool = False,
) -> tuple[Contents, tuple[Judged, ...]]:
    """Return what went into ``sink`` and the signatures, none of which fails: all but (4).

    ``read`` makes the one pass over the package, into the sink that it is given. With ``early``
    nothing goes into it where it is clear from the start that nobody vouches.
    """
    if rule.content is not None:
        found = {"content": CONTENT_PREFIX + package.digest}
        authenticity.check_identity(found, rule, package.path)  # (5)
    judged = judge_beside(package, known, rule.signature)  # (2)
    authenticity.refuse_failed_signatures(judged, package.path)
    if early and package.container == GZIP:  # nothing else in it could vouch
        authenticity.require(judged, rule, package.path)
    tree = TreeSink(sink)
    contents = read(tree)  # (3)
    judged = (*judged, *tree.judge(package, contents, known))
    authenticity.refuse_failed_signatures(judged, package.path)
    name, version = name_of(contents)
    authenticity.check_identity({"name": name, "version": version}, rule, package.path)  # (5)
    return contents, judged


def name_of(contents: Contents) -> tuple[str, str]:
    """Return name and version of the package."""
    manifest = contents.manifest
    named = manifest.package if isinstance(manifest, ProviderManifest) else manifest
    return named.name, named.version
