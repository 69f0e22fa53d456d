"""The members of a package of each legacy format, and which of them is its manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.formats.legacy.manifest_json import read_old_manifest
from cloacina_ctl.formats.legacy.model import Format, V1Manifest, V2Manifest
from cloacina_ctl.formats.legacy.package_toml import read_package_toml, read_provider
from cloacina_ctl.formats.legacy.streams import GZIP

if TYPE_CHECKING:
    from cloacina_ctl.formats.legacy.model import LegacyManifest
    from cloacina_ctl.formats.limits import Limits

MANIFEST, PACKAGE_TOML, PROVIDER = "manifest.json", "package.toml", "provider.json"
WORKFLOW_FOLDER = "workflow/"


class ArchiveLayout:
    """Where the members of one archive belong, checked one by one.

    ``root`` is the one folder at the top of a bzip2 package; gzip packages have none.
    """

    def __init__(self, container: str, where: str) -> None:
        self._is_flat = container == GZIP
        self._where = where
        self.root: str | None = None
        self.manifests = (MANIFEST,) if self._is_flat else (PACKAGE_TOML, PROVIDER)

    def place(self, name: str, *, is_folder: bool) -> str | None:
        """Return the path of a member in the package; None for the top folder itself."""
        if self._is_flat:
            return name
        top, slash, path = name.partition("/")
        if not slash and not is_folder:
            raise self._bad(f"a file beside the top folder: {name}")
        if self.root is None:
            if top.startswith("."):
                raise self._bad(f"a hidden folder at the top: {top}")
            self.root = top
        if top != self.root:
            raise self._bad(f"two folders at the top: {self.root} and {top}")
        return path or None

    def read(
        self, texts: dict[str, bytes], paths: frozenset[str], limits: Limits
    ) -> tuple[Format, LegacyManifest]:
        """Return the format and the manifest; refuse a package that lacks required members."""
        first = self.manifests[0]
        if first not in texts:
            kind = "gzip" if self._is_flat else "bzip2"
            place = "" if self._is_flat else " in its top folder"
            raise self._bad(f"a {kind} tar, but not a Cloacina package: it has no {first}{place}")
        where = f"{self._where}: {first}"
        if not self._is_flat:
            if PROVIDER in texts:
                provider = read_provider(texts[first], texts[PROVIDER], self._where)
                return Format.PROVIDER, provider
            return Format.SOURCE, read_package_toml(texts[first], where)
        manifest = read_old_manifest(texts[first], where, limits)
        if isinstance(manifest, V1Manifest):
            self._check_v1(manifest, paths)
            return Format.V1, manifest
        self._check_v2(manifest, paths)
        return Format.V2, manifest

    def _check_v1(self, manifest: V1Manifest, paths: frozenset[str]) -> None:
        library = manifest.library.filename
        if library not in paths:
            raise self._bad(f"the library of the manifest is not there: {library[:200]}")
        more = sorted(paths - {MANIFEST, library})
        if more:
            raise self._bad(f"more than {MANIFEST} and {library[:200]}: {more[0]}")

    def _check_v2(self, manifest: V2Manifest, paths: frozenset[str]) -> None:
        library = manifest.library_path
        if library is not None and library not in paths:
            raise self._bad(f"the library of the manifest is not there: {library[:200]}")
        if library is None and not any(path.startswith(WORKFLOW_FOLDER) for path in paths):
            raise self._bad(f"no file under {WORKFLOW_FOLDER}, where a Python package has its code")

    def _bad(self, message: str) -> Refused:
        return Refused.of(Code.BAD_LAYOUT, message, where=self._where)
