"""Tags of real wheels beside those of auditwheel, for every platform that the index has.

Fetches 157 wheels (105 MB) into the cache once.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.manifest import Libc
from cloacina_ctl.platforms import HostPlatform, baseline, platform_fits, read_library
from cloacina_ctl.platforms.baseline import GLIBC, MUSL, Need
from tests.platforms.wheels.compared import REASONS, SAME, compare, names_beside, release
from tests.platforms.wheels.fetched import auditwheel_says, fetch, unpacked
from tests.platforms.wheels.pinned import AUDITWHEEL, OTHER_SYSTEMS, WHEELS
from tests.support.projects import DOCS

pytestmark = pytest.mark.slow
PAGE = DOCS / "platforms.md"
# What our tables say otherwise than auditwheel's policies, by family and version, and why.
OTHERWISE = {
    # A step later than where some machines have it: a tag promises less, and nothing breaks.
    **dict.fromkeys(
        [("ZLIB", "1.2.7.1"), ("ZLIB", "1.2.9"), ("ZLIB", "1.2.12"), ("LIBATOMIC", "1.0")], "later"
    ),
    # The distributions of manylinux_2_17 for aarch64 had it; PEP 600 goes by glibc's release.
    ("GLIBC", "2.18"): "later",
    # By glibc's release, as on all other machines: riscv64.
    ("GLIBC", "ABI_DT_RELR"): "earlier",
    # Beside GCC_14.0.0, which is in the earlier policy for loongarch64 too, and of the same GCC.
    ("GLIBCXX", "3.4.33"): "earlier",
}


@pytest.fixture(scope="module")
def folder():
    return fetch({**WHEELS, **OTHER_SYSTEMS})


@pytest.fixture(scope="module")
def wheels(folder):
    return [one for item in WHEELS.items() for one in unpacked(folder, *item)]


@pytest.fixture(scope="module")
def said(wheels):
    return auditwheel_says(wheels)


@pytest.fixture(scope="module")
def rows(folder, said):
    tables, *files = said
    policies = tables["manylinux"]
    return [compare(one, policies, names_beside(Path(one["path"]), folder)) for one in files]


def test_every_library_has_auditwheels_tag_or_another_for_a_known_reason(rows):
    assert [row for row in rows if row.reason is None] == []


def test_the_sample_has_every_platform_and_every_reason(wheels, rows):
    assert len(wheels) >= 60
    assert len(WHEELS) >= 12
    assert {row.reason for row in rows} == {SAME, *REASONS}


def test_the_page_shows_the_table_as_it_was_measured(wheels, rows):
    text = PAGE.read_text(encoding="utf-8")
    counts = Counter(row.reason for row in rows)
    assert f"auditwheel {AUDITWHEEL}" in text
    assert f"{len(rows)} ELF files of {len(wheels)} wheels" in text
    for reason, right in {SAME: "both", **REASONS}.items():
        assert f"| {reason} | {counts[reason]} | {right} |" in text


def test_every_library_runs_on_the_platform_that_its_wheel_is_named_for(folder):
    """Which is what vendoring asks of it."""
    strange = []
    for platform, names in WHEELS.items():
        for wheel in unpacked(folder, platform, names):
            strange += [one for one in wheel.rglob("*.so*") if not _runs(one, wheel.name, platform)]
    assert strange == []


def _runs(path: Path, wheel: str, platform: str) -> bool:
    """Tell whether a library runs where the wheel's name promises it, at the oldest release."""
    library = read_library(path)
    family, _, _, machine = platform.split("_", 3)
    major, minor = min(release(tag) for tag in _tags(wheel, family, machine))
    libc = Libc(GLIBC if family == "manylinux" else MUSL, f"{major}.{minor}")
    assert library.machine == machine
    return platform_fits(library.tag, HostPlatform(machine, "linux", libc), library.libc)


def _tags(wheel: str, family: str, machine: str) -> list[str]:
    tags = wheel.rpartition("-")[2].split(".")
    return [tag for tag in tags if re.fullmatch(rf"{family}_\d+_\d+_{machine}", tag)]


@pytest.mark.parametrize("platform", OTHER_SYSTEMS)
def test_libraries_for_other_systems_are_named_as_what_they_are(folder, platform):
    found = "PE file for Windows" if platform.startswith("win") else "Mach-O file for macOS"
    for wheel in unpacked(folder, platform, OTHER_SYSTEMS[platform]):
        (library, *_) = [one for one in wheel.rglob("*") if one.suffix in (".so", ".pyd")]
        with pytest.raises(Refused, match=found) as caught:
            read_library(library)
        assert caught.value.diagnostics[0].code is Code.NOT_A_LIBRARY


def test_the_tables_are_those_of_auditwheels_policies(said):
    """Each version is in the first policy that has it, where the machine has an older one too."""
    tables = said[0]["manylinux"]
    order = sorted(tables, key=release)
    machines = {machine for one in tables.values() for machine in one}
    for machine in machines:
        own = [name for name in order if machine in tables[name]]
        first: dict[tuple[str, str], str] = {}
        for name in own:
            for family, versions in tables[name][machine].items():
                for version in versions:
                    first.setdefault((family, version), name)
        for (family, version), policy in first.items():
            _compare_version(machine, family, version, policy, own)


def _compare_version(machine: str, family: str, version: str, policy: str, own: list[str]) -> None:
    file = "libc.so.6" if family == "GLIBC" else baseline._FAMILIES[family].file
    floor = baseline._first_release(machine, Need(file, f"{family}_{version}"))
    assert floor is not None, (machine, family, version)
    ours = next((release(name) for name in own if release(name) >= floor[:2]), floor)
    if ours != release(policy):
        how = "later" if ours > release(policy) else "earlier"
        assert OTHERWISE.get((family, version)) == how, (machine, family, version, ours, policy)


def test_the_base_system_is_that_of_auditwheels_policies(said):
    """All libraries that are allowed there are in ours, and in ours is nothing else."""
    allowed = {libc: said[0][f"{libc}_allowed"] for libc in ("manylinux", "musllinux")}
    assert baseline.outside_base(GLIBC, allowed["manylinux"]) == ()
    assert baseline.outside_base(MUSL, allowed["musllinux"]) == ()
    own = baseline._GLIBC_BASE | baseline._GLIBC_FILES
    assert own - set(allowed["manylinux"]) == {"libBrokenLocale.so.1", "libthread_db.so.1"}
