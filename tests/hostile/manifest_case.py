"""Cases of one changed manifest: what `cases_e_*` are made with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.hostile.case import Case, of

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.builder import Json

MANIFEST = ("A008", "A014", "A015", "G", "L", "M", "A003")


def of_manifest(case_id: str, what: str, patch: Callable[[Json], Any], **options: Any) -> Case:
    """Return a case whose manifest was changed and is canonical all the same."""
    options = {"reach": "head", "codes": MANIFEST, **options}
    return of(case_id, what, manifest_patch=patch, **options)


def of_bytes(case_id: str, what: str, patch: Callable[[bytes], bytes], **options: Any) -> Case:
    """Return a case whose manifest's bytes were changed."""
    options = {"reach": "head", "codes": MANIFEST, **options}
    return of(case_id, what, manifest_bytes=patch, **options)


def with_value(raw: bytes) -> Callable[[bytes], bytes]:
    """Return a change that puts raw JSON in place of the language."""
    return lambda good: good.replace(b'"language":"python"', b'"language":' + raw)
