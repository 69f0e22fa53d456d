"""Which Pythons what is vendored is for: one rule from the choice to the manifest."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from cloacina_ctl.errors import Code, Severity
from cloacina_ctl.vendoring.closure import Distribution, Roots, reach
from cloacina_ctl.vendoring.locks.lock import LockedWheel
from cloacina_ctl.vendoring.python_range import Wheels
from cloacina_ctl.vendoring.target import PYTHONS, PythonTarget, accepts, patches, target_for
from tests.support.elf_builder import Elf
from tests.support.wheels import PURE, file_name, wheel
from tests.vendoring.projects import GLIBC, lock, project, refused, vendored


@pytest.mark.parametrize(
    ("specifier", "expected"),
    [
        ("==3.11.7", (7, 7)),
        (">=3.11.1,<3.11.8", (1, 7)),
        ("===3.11.4", (4, 4)),
        ("~=3.11.4", (4, 99)),
        (">3.11.4", (5, 99)),
        (">=3.10", (0, 99)),
        ("==3.11.*", (0, 99)),
        (">=3.11,!=3.11.0", (1, 99)),
        ("<3.11", None),
        (None, (0, 99)),
    ],
)
def test_a_specifier_takes_an_interval_of_patch_releases(specifier, expected):
    assert patches(specifier, "3.11") == expected
    assert accepts(specifier, "3.11") == (expected is not None)


@pytest.mark.parametrize("specifier", ["==3.11.7", ">=3.11.1,<3.11.8", "~=3.11.5"])
def test_a_project_for_some_patch_releases_is_vendored(specifier, tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]', python=specifier)
    lock(root, wheel(house, "one", requires=['two; python_full_version < "3.11.1"']))
    assert vendored(root, work, house, python="3.11").python is None


def test_what_a_project_for_some_patch_releases_needs_is_chosen(tmp_path, work, house, chooser):
    root = project(tmp_path, '["one"]', python=">=3.11.1,<3.11.8")
    wheel(house, "one", version="1.0", python=">=3.11.1")
    wheel(house, "one", version="2.0", python=">=3.11.2")
    found = vendored(root, work, house)
    assert [one.title for one in found.new_lock.wheels] == ["one 1.0"]
    assert found.python is None


def test_a_condition_on_a_patch_release_is_met_for_each_that_the_project_takes(
    tmp_path, work, house, chooser
):
    """uv asks for the first patch release, pip for the Python that it runs on."""
    root = project(tmp_path, '["one"]', python=">=3.11,<3.13")
    late, early = 'late; python_full_version >= "3.11.98"', 'early; python_full_version < "3.11.1"'
    wheel(house, "one", requires=[late, early])
    wheel(house, "late", requires=['deeper; python_full_version >= "3.12.98"'])
    for name in ("early", "deeper"):
        wheel(house, name)
    found = vendored(root, work, house, python="3.11")
    assert [one.name for one in found.new_lock.wheels] == ["early", "late", "one"]
    assert found.python == "<3.12.98,>=3.11"


@pytest.mark.slow
def test_pip_finds_what_another_python_than_its_own_needs(tmp_path, work, house):
    root = project(tmp_path, '["one"]', python=">=3.9")
    wheel(house, "one", requires=['two; python_version < "3.10"'])
    wheel(house, "two", requires=['three; python_version < "3.10"'])
    wheel(house, "three")
    found = vendored(root, work, house, python="3.9")
    assert [one.name for one in found.new_lock.wheels] == ["one", "three", "two"]
    assert found.python is None


def test_pure_wheels_are_chosen_for_the_oldest_python_where_this_one_leaves_it_out(
    tmp_path, work, house, chooser
):
    root = project(tmp_path, '["one"]', python=">=3.9")
    wheel(house, "one", version="1.0", python=">=3.8")
    wheel(house, "one", version="2.0", python=">=3.10")
    found = vendored(root, work, house)
    assert [one.title for one in found.new_lock.wheels] == ["one 1.0"]
    assert (found.new_lock.python, found.python) == ("3.9", None)
    assert [one.code for one in found.diagnostics] == [Code.LOCK_FILE]
    assert "Python 3.9 " in found.diagnostics[0].message
    again = vendored(root, work, house, python="3.11")
    assert [one.title for one in again.new_lock.wheels] == ["one 2.0"]
    assert again.python == ">=3.10"


def test_compiled_wheels_narrow_the_package_to_this_python(tmp_path, work, house, chooser):
    """As numpy does, whose newest release has dropped the oldest Python."""
    root = project(tmp_path, '["one", "two"]', python=">=3.9")
    library = Elf(needed=("libc.so.6",), versions={"libc.so.6": [("GLIBC_2.17", 0)]}).build()
    for python in ("39", "310", "311", "312", "313", "314"):
        tag = f"cp{python}-cp{python}-manylinux_2_17_x86_64"
        wheel(house, "one", {"one.so": library}, version="1.0", tag=tag)
        if python not in ("39", "310"):
            wheel(house, "one", {"one.so": library}, version="2.0", tag=tag, python=">=3.11")
    wheel(house, "two", version="1.0")
    wheel(house, "two", version="2.0", python=">=3.11")
    found = vendored(root, work, house, platforms=(GLIBC,))
    mine = f"3.{sys.version_info[1]}"
    if sys.version_info >= (3, 11):
        assert [one.title for one in found.new_lock.wheels] == ["one 2.0", "two 2.0"]
    assert found.python == f"=={mine}.*"
    (warning,) = [one for one in found.diagnostics if one.code is Code.NARROWED_PYTHON]
    assert warning.severity is Severity.WARNING
    assert "--vendor-python" in warning.hint
    asked = vendored(root, work, house, platforms=(GLIBC,), python="3.9")
    assert [one.title for one in asked.new_lock.wheels] == ["one 1.0", "two 1.0"]
    assert {one.severity for one in asked.diagnostics} == {Severity.NOTE}


def test_what_a_wheel_says_of_patch_releases_narrows_the_package(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one", python=">=3.11.4,!=3.13.2"))
    assert vendored(root, work, house).python == "<3.13.2,>=3.11.4"
    lock(root, wheel(house, "one", python="!=3.10.0,<4"))
    assert vendored(root, work, house).python == ">=3.10.1"


def test_a_lock_with_a_wheel_for_another_python_is_refused(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one", tag="cp312-cp312-manylinux_2_17_x86_64"))
    ((code, message),) = refused(root, work, house)
    assert code is Code.LOCK_FILE
    assert message.startswith("it is not for Python 3.11 on manylinux_2_36_x86_64: No wheel found")


def test_the_projects_own_clauses_about_versions_to_come_stay(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]', python=">=3.10,<4,!=3.12.1")
    lock(root, wheel(house, "one", python=">=3.11"))
    assert vendored(root, work, house).python == "!=3.12.1,<4,>=3.11"


CLAUSES = st.sampled_from(
    [">=3.9", ">=3.10", ">=3.11", ">=3.11.4", "<3.13", "<4", "!=3.12.*", "!=3.11.3", "==3.11.*",
     "~=3.10", ">=3.11.2,<3.11.9", "<=3.12.5"]
)  # fmt: skip
SPECIFIERS = st.lists(CLAUSES, max_size=2).map(",".join)
MARKERS = st.sampled_from(
    ["", '; python_version < "3.11"', '; python_version >= "3.12"',
     '; python_full_version < "3.11.3"', '; python_full_version >= "3.12.2"']
)  # fmt: skip
TAGS = st.sampled_from([PURE, PURE, "cp311-abi3-manylinux_2_17_x86_64", "cp311-none-any"])
PATCHES = (0, 1, 2, 3, 4, 5, 9, 98)
NEEDS = st.lists(st.tuples(st.sampled_from(["b", "c", "absent"]), MARKERS), max_size=2)


@settings(deadline=None, max_examples=20)
@given(SPECIFIERS, st.lists(st.tuples(TAGS, SPECIFIERS, NEEDS), min_size=3, max_size=3))
def test_the_manifest_speaks_of_the_very_releases_that_the_wheels_are_for(requires, described):
    wheels = {}
    for name, (tag, python, needs) in zip("abc", described, strict=True):
        locked = LockedWheel(name, "1.0", file_name(name, "1.0", tag), "0" * 64, (GLIBC,))
        texts = tuple(Requirement(f"{one}{marker}") for one, marker in needs)
        wheels[locked] = Distribution(name, Version("1.0"), texts, python or None)
    roots = Roots(("a",))
    if not accepts(requires, "3.11"):
        return
    target = target_for(requires, "3.11", GLIBC)
    fits = Wheels(roots, wheels, (target,), requires or None)
    if any(fits.unfit()) or not fits._good_of("3.11"):
        return
    said = fits.narrowed()
    spoken = SpecifierSet(said if said is not None else requires)
    assert any(f"3.11.{patch}" in spoken for patch in range(100))
    for release in (f"{python}.{patch}" for python in PYTHONS for patch in PATCHES):
        if release not in spoken:
            continue
        assert release in SpecifierSet(requires)
        python, patch = release.rpartition(".")[0], int(release.rpartition(".")[2])
        here = PythonTarget(python, GLIBC, (patch, patch))
        known = {one.name: one for one in wheels.values()}
        assert not reach(roots, known, here).missing
        for locked, one in wheels.items():
            assert release in SpecifierSet(one.python or "")
            assert here.rank(parse_wheel_filename(locked.file)[3]) is not None
