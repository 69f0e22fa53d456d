"""What the members of one archive may be called, each by itself and all together.

A package of another generation is judged while it streams, so a name that clashes with an earlier
one has to be seen before anything of it is written.
"""

from __future__ import annotations

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.paths import fold, judge_foreign_path


class Names:
    """The names so far; ``where`` is the file that they come from."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._taken: dict[str, tuple[str, bool]] = {}
        self._listed: set[str] = set()

    def take(self, raw: bytes, *, is_folder: bool) -> str:
        """Return the name that ``raw`` spells, or refuse it: its form, or with those before it.

        A folder may be listed once, before or after what lies in it.
        """
        name = self._judged(raw.removesuffix(b"/") if is_folder else raw)
        end = name.find("/")
        while end > 0:
            self._put(name[:end], is_folder=True, listed=False)
            end = name.find("/", end + 1)
        self._put(name, is_folder=is_folder, listed=True)
        return name

    def _judged(self, raw: bytes) -> str:
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            shown = raw[:200].decode("utf-8", "backslashreplace")
            raise self._bad(f"a name that is not UTF-8: {shown}") from error
        rule = judge_foreign_path(name)
        if rule is not None:
            raise self._bad(f"{rule}: {name[:200]}")
        return name

    def _put(self, name: str, *, is_folder: bool, listed: bool) -> None:
        """Remember a name; ``listed`` where it has a header of its own."""
        key = fold(name)
        spelling, was_folder = self._taken.get(key, (name, is_folder))
        if spelling != name:
            self._clash(spelling, name, "some file systems take them for one name")
        if was_folder != is_folder:
            self._clash(spelling, name, "one is a file, the other a folder")
        if listed:
            if key in self._listed:
                self._clash(spelling, name, "listed twice")
            self._listed.add(key)
        self._taken[key] = (name, is_folder)

    def _clash(self, first: str, second: str, rule: str) -> None:
        both = first if first == second else f"{first} and {second}"
        raise Refused.of(Code.MEMBER_COLLISION, f"{both}: {rule}", where=self._where)

    def _bad(self, message: str) -> Refused:
        return Refused.of(Code.MEMBER_NAME, message, where=self._where)
