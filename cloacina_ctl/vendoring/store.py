"""Stores of wheels: the user's wheelhouse, and the cache of downloaded ones.

The cache has a folder for each SHA-256 with one wheel in it; a cached wheel is hashed again before
it is used.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from cloacina_ctl import settings
from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.files.folders import open_folder
from cloacina_ctl.files.staging import StagedFile, reported, write_all
from cloacina_ctl.formats.wheel.reader import digest_of_file, names_a_wheel, open_regular

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.digest import Digest

ENV_CACHE = "CLOACINA_CTL_CACHE_DIR"
_READ_BYTES = 1 << 20


class Wheelhouse:
    """A folder of wheels; each is hashed once, when it is first needed."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)
        self._digests: dict[str, Digest] = {}
        with reported(folder):
            if not os.path.isdir(folder):
                raise FileProblem.of(
                    Code.NOT_FOUND, "the wheelhouse is not a folder", where=folder,
                    hint="fill one on a machine with network access: `pip download -d FOLDER …`",
                )  # fmt: skip
            self.files = tuple(sorted(filter(names_a_wheel, os.listdir(folder))))

    def path(self, file: str) -> str:
        """Return the path of the wheel."""
        return os.path.join(self.folder, file)

    def digest(self, file: str) -> Digest:
        """Return the SHA-256 of one of its files."""
        if file not in self._digests:
            self._digests[file] = digest_of_file(self.path(file))
        return self._digests[file]


class Cache:
    """The wheels that were downloaded before; none if the folder for them is unknown."""

    def __init__(self) -> None:
        self._folder = _cache_folder()

    def find(self, file: str, digest: Digest) -> str | None:
        """Return the path of the wheel, None if it is not cached (or was damaged)."""
        if self._folder is None:
            return None
        path = os.path.join(self._folder, digest, file)
        if not os.path.isfile(path) or digest_of_file(path) != digest:
            return None
        return path

    def keep(self, path: str) -> Digest:
        """Keep a copy of the wheel in the file ``path``, and return its SHA-256.

        An unwritable cache is ignored: the wheel is available all the same.
        """
        digest = digest_of_file(path)
        if self._folder is None:
            return digest
        file = os.path.basename(path)
        with contextlib.suppress(FileProblem):
            if self.find(file, digest) is None:
                folder = os.path.join(self._folder, digest)
                with reported(folder):
                    os.makedirs(self._folder, mode=0o700, exist_ok=True)
                    with open_folder(self._folder) as above:
                        above.make_folder(digest)
                        above.folder(digest).close()  # a link there is none of ours
                _copy(path, os.path.join(folder, file))
        return digest

    def files(self) -> Iterator[str]:
        """Yield the paths of all cached wheels."""
        if self._folder is None or not os.path.isdir(self._folder):
            return
        for name in sorted(os.listdir(self._folder)):
            folder = os.path.join(self._folder, name)
            if os.path.isdir(folder):
                yield from (
                    os.path.join(folder, file)
                    for file in sorted(os.listdir(folder))
                    if names_a_wheel(file)
                )


def _copy(source: str, destination: str) -> None:
    with StagedFile(destination, replace=True) as staged:
        with reported(source), open_regular(source) as file:
            while data := file.read(_READ_BYTES):
                write_all(staged.fd, data)
        staged.commit()


def _cache_folder() -> str | None:
    """Return the folder for wheels in the user's cache; None if the home folder is unknown."""
    chosen = os.environ.get(ENV_CACHE)
    if chosen:
        return os.path.join(os.path.abspath(chosen), "wheels")
    base = os.environ.get("XDG_CACHE_HOME", "")
    if sys.platform == "darwin" or not os.path.isabs(base):  # by XDG a relative one is ignored
        try:
            home = settings.home_folder()
        except FileProblem:
            return None
        base = os.path.join(home, "Library/Caches" if sys.platform == "darwin" else ".cache")
    return os.path.join(base, "cloacina-ctl", "wheels")


def scratch(folder: str, name: str) -> str:
    """Return a new folder beneath a scratch folder."""
    path = os.path.join(folder, name)
    with reported(path):
        os.makedirs(path, mode=0o700)
    return path
