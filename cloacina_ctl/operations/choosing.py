"""Which package somebody means: a file, or what is installed under a name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.archive.layout import SUFFIX
from cloacina_ctl.archive.reader import STDIN
from cloacina_ctl.errors import CloacinaError, Code

if TYPE_CHECKING:
    from cloacina_ctl.authenticity import Rule


def find_package(
    word: str, rule: Rule, *, tenant: str | None = None, registry: str | None = None
) -> tuple[str, Rule]:
    """Return the path that ``word`` means, and the rule that the file there must meet.

    A path, a name that ends as packages do, and ``-`` are files. Anything else is
    ``NAME[@VERSION]`` in the registry, so that nothing that lies in the current folder takes the
    place of what is installed; where nothing of that name is, a file is. Raises what
    ``find_installed`` raises.
    """
    if word == STDIN or os.sep in word or word.endswith(SUFFIX):
        return word, rule
    from cloacina_ctl.operations.installed import DEFAULT_TENANT, find_installed

    try:
        found = find_installed(word, rule, tenant=tenant or DEFAULT_TENANT, registry=registry)
    except CloacinaError as error:
        is_absent = error.diagnostics[0].code is Code.NOT_INSTALLED
        if is_absent and registry is None and os.path.isfile(word):
            return word, rule
        raise
    return found.path, found.rule
