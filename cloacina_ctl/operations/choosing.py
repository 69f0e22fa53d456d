"""Which package somebody means: a file, or what is installed under a name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.archive.layout import SUFFIX
from cloacina_ctl.archive.reader import STDIN

if TYPE_CHECKING:
    from cloacina_ctl.authenticity import Rule


def find_package(
    word: str, rule: Rule, *, tenant: str | None = None, registry: str | None = None
) -> tuple[str, Rule]:
    """Return the path that ``word`` means, and the rule that the file there must meet.

    A file is meant where there is one, and where the word looks like one: a path, or a name that
    ends as packages do. Anything else is ``NAME[@VERSION]`` in the registry; raises what
    ``find_installed`` raises.
    """
    looks_like_a_file = word == STDIN or os.sep in word or word.endswith(SUFFIX)
    if looks_like_a_file or os.path.exists(word):
        return word, rule
    from cloacina_ctl.operations.installed import DEFAULT_TENANT, find_installed

    found = find_installed(word, rule, tenant=tenant or DEFAULT_TENANT, registry=registry)
    return found.path, found.rule
