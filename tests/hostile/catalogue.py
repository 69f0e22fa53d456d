"""The whole catalogue: every row for the native format, and those for gzip and bzip2."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from tests.hostile import (
    cases_a_bombs,
    cases_a_container,
    cases_a_no_package,
    cases_a_streams,
    cases_b_legacy,
    cases_b_names,
    cases_c_types,
    cases_d_legacy,
    cases_d_tar,
    cases_e_fields,
    cases_e_legacy,
    cases_e_manifest,
    cases_e_texts,
    cases_n_block,
    cases_n_native,
    cases_ok,
)

if TYPE_CHECKING:
    from tests.hostile.case import Case

ROWS = (
    *(f"A{n}" for n in range(1, 31)),
    *(f"B{n}" for n in range(1, 28)),
    *(f"C{n}" for n in range(1, 23)),
    *(f"D{n}" for n in range(1, 21)),
    *(f"E{n}" for n in range(1, 27)),
)


@lru_cache(maxsize=1)
def every_case() -> tuple[Case, ...]:
    """Return all cases, in the order of the rows."""
    modules = (
        cases_a_bombs,
        cases_a_container,
        cases_a_no_package,
        cases_a_streams,
        cases_b_legacy,
        cases_b_names,
        cases_c_types,
        cases_d_legacy,
        cases_d_tar,
        cases_e_fields,
        cases_e_legacy,
        cases_e_manifest,
        cases_e_texts,
        cases_n_block,
        cases_n_native,
        cases_ok,
    )
    return tuple(case for module in modules for case in module.cases())
