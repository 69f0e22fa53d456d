"""Saying of an installed package that it is damaged, and not what a damaged file looks like.

Code that opens a package by path and rule need not know whether it is installed.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from cloacina_ctl.errors import CloacinaError, Code, FileProblem, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.verification.policy import VerificationPolicy


@contextlib.contextmanager
def explain_damage(path: str, rule: VerificationPolicy) -> Iterator[None]:
    """Where the body fails at a stored package that is damaged, say that instead.

    ``path`` and ``rule`` are those of ``find_installed``; at any other path nothing is said. What
    the body refuses stays refused.
    """
    try:
        yield
    except CloacinaError as error:
        if rule.name is None or not _is_damaged(path):
            raise
        what = "its bytes are not those that were installed"
        raise damaged(f"{rule.name}@{rule.version}", what, path) from error


def _is_damaged(path: str) -> bool:
    from cloacina_ctl.registry.files import is_whole
    from cloacina_ctl.registry.layout import package_digest

    digest = package_digest(path)
    with contextlib.suppress(FileProblem):  # of a file that cannot be read nothing is known
        return digest is not None and not is_whole(path, digest)
    return False


def damaged(named: str, what: str, where: str) -> Refused:
    """Return what is said of a stored package that is not whole."""
    return Refused.of(
        Code.STORED_DAMAGED,
        f"{named} is damaged in the registry: {what}",
        where=where,
        hint=f"install it again, or `cloacina-ctl uninstall {named}`",
    )
