"""Where a project's diagnostics are: named as the user sees the files from the current folder.

What reads a project names its files from the project's own folder. An editor, a terminal's link or
an annotation in CI needs the name that holds where the program was started.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING

from cloacina_ctl.errors import CloacinaError, Diagnostic, Location

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# The spellings that ``Diagnostic.where`` documents.
_PLACE = re.compile(
    r"(?P<file>.+?)(?::(?P<line>[0-9]{1,9})(?::(?P<column>[0-9]{1,9}))?)?(?P<detail>: .*)?",
    re.DOTALL,
)


class Locator:
    """Turns places of the project in ``folder``, as the user named that, into locations.

    ``roots`` are the folders that names may begin at, the likeliest first: absolute paths. Who
    reads the project adds that of the crate, which may lie below.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._top = os.path.abspath(folder)
        self.roots = [self._top]

    def located(self, found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
        """Return the diagnostics; those about files of the project name them from here."""
        return tuple(map(self._one, found))

    @contextlib.contextmanager
    def errors(self) -> Iterator[None]:
        """Locate the diagnostics of what is raised inside."""
        try:
            yield
        except CloacinaError as error:
            error.diagnostics = self.located(error.diagnostics)
            raise

    def _one(self, found: Diagnostic) -> Diagnostic:
        spelled = None if found.where is None else _PLACE.fullmatch(found.where)
        if spelled is None or found.location is not None:
            return found
        file = self._seen(spelled["file"])
        if file is None:
            return found
        if spelled["file"].endswith("/"):  # the mark of a folder
            file += "/"
        line, column = (None if text is None else int(text) for text in spelled.group(2, 3))
        column = column or getattr(found.where, "column", None)  # of a `Place`
        rest = (found.where or "")[spelled.end("file") :]
        return found._replace(where=file + rest, location=Location(file, line, column))

    def _seen(self, name: str) -> str | None:
        """Return the name from here of what ``name`` means in the project; None where nothing."""
        for root in self.roots:
            path = os.path.normpath(os.path.join(root, name))
            if os.path.lexists(path):
                below = os.path.relpath(path, self._top)
                if below.split(os.sep, 1)[0] == os.pardir:
                    return path if os.path.isabs(name) else os.path.join(self._folder, below)
                return os.path.normpath(os.path.join(self._folder, below))
        return None
