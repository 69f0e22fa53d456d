"""What a case of the catalogue is: a name, bytes that are made when asked for, a verdict."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.support.builder import Recipe, build

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REFUSED = frozenset({3})
NOT_TRUSTED = frozenset({4})
IO_OR_USAGE = frozenset({2, 8})

ROW = re.compile(r"^([A-EN][0-9]{1,2}|OK)-[a-z0-9][a-z0-9.-]*$")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One hostile (or good) file and what has to happen to it.

    `expected` is the verdict of `verify`, `validate` and `unpack`: `refuse`, `accept`, or `any`
    where only the effects are judged. `reach` is how far a reader must go to see it: what the
    `head` shows, `inspect` must refuse as well. `codes` are the beginnings of the codes that
    prove that the attack itself was seen, not something else on the way. `verdicts` overrides
    single verbs. `tree` is what `unpack` must give of a package that no recipe made. `heavy`
    cases run in a process of their own, with their memory measured.
    """

    id: str
    what: str
    build: Callable[[], bytes]
    expected: str = "refuse"
    exit: frozenset[int] = REFUSED
    reach: str = "payload"
    codes: tuple[str, ...] = ()
    verdicts: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 2.0
    slow: bool = False
    heavy: bool = False
    place: Callable[[str], str] | None = None
    prepare: Callable[[str], None] | None = None
    recipe: Recipe | None = None
    tree: Mapping[str, bytes] | None = None

    @property
    def row(self) -> str:
        """Return the row of the attack catalogue: `A6`."""
        return self.id.partition("-")[0]

    def verdict(self, verb: str) -> str:
        """Return what the verb must say."""
        if verb in self.verdicts:
            return self.verdicts[verb]
        if verb == "inspect" and self.expected == "refuse" and self.reach != "head":
            return "any"
        return self.expected


def of(case_id: str, what: str, *, recipe: Recipe | None = None, **options: Any) -> Case:
    """Return a case that builds the plain recipe (or this one) with changes.

    Options that `Case` knows go to the case, all others are changes to the recipe.
    """
    known = {key: options.pop(key) for key in list(options) if key in Case.__dataclass_fields__}
    made = (recipe or Recipe()).but(**options)
    known.setdefault("build", lambda: build(made))
    return Case(id=case_id, what=what, recipe=made, **known)


def slug(text: str) -> str:
    """Return a text as a part of a case's name."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.") or "x"
