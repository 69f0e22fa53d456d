"""What `validate` says of a compiled library for the systems that it does not run on."""

from __future__ import annotations

import pytest

from cloacina_ctl.errors import Severity
from cloacina_ctl.manifest import Libc
from cloacina_ctl.operations.validate import validate
from tests.support.elf_builder import Elf
from tests.support.plugin_packages import pack

UNSAID = {"B003"}  # of any library of these tests


@pytest.fixture
def said(tmp_path):
    """Package a library and return what is found of it: codes with severities, and messages."""

    def found(elf: Elf, **package: object) -> dict[str, tuple[Severity, str]]:
        library = tmp_path / "libx.so"
        library.write_bytes(elf.build())
        report = validate(str(pack(tmp_path / "x.cloacina", library, **package))).report
        return {
            str(one.code): (one.severity, one.message)
            for one in report.findings
            if one.code.startswith(("B0", "M0")) and str(one.code) not in UNSAID
        }

    return found


MUSL = {"needed": ("libc.musl-x86_64.so.1",), "versions": {}}


@pytest.mark.parametrize("built", [{}, MUSL])
def test_an_ordinary_library_is_not_remarked_upon(said, built):
    assert said(Elf(**built)) == {}


def test_a_needed_library_that_not_every_system_has_is_a_warning(said):
    found = said(Elf(needed=("libc.so.6", "libpq.so.5")))
    assert list(found) == ["B014"]
    severity, message = found["B014"]
    assert severity is Severity.WARNING
    assert message == "it needs libpq.so.5, which is not in the package and not on every system"


def test_packed_relocations_without_their_mark_are_an_error(said):
    elf = Elf(packed=True)
    elf.data(elf.text("x"))
    found = said(elf)
    assert list(found) == ["B013"]
    assert found["B013"][0] is Severity.ERROR


def test_a_version_that_no_release_has_is_a_warning(said):
    versions = {"libc.so.6": [("GLIBC_2.17", 0), ("GLIBC_PRIVATE", 0)]}
    found = said(Elf(versions=versions))
    assert list(found) == ["B015"]
    assert found["B015"][0] is Severity.WARNING
    assert "GLIBC_PRIVATE of libc.so.6" in found["B015"][1]


def test_plugins_of_a_machine_that_is_not_read_are_not_called_missing(said):
    found = said(Elf(machine=3, bits=32))
    assert list(found) == ["B016"]
    assert found["B016"][0] is Severity.WARNING


@pytest.mark.parametrize("tag", ["musllinux_1_1_x86_64", "musllinux_1_2_x86_64"])
@pytest.mark.parametrize("floor", [None, "1.2"])
def test_a_manifest_may_say_the_release_of_musl_that_no_library_tells(said, tag, floor):
    def change(artifact):
        return artifact._replace(libc=Libc("musl", floor))

    assert said(Elf(**MUSL), tag=tag, change=change) == {}


def test_a_manifest_may_not_say_a_release_of_glibc_that_is_too_low(said):
    versions = {"libc.so.6": [("GLIBC_2.14", 0)], "libstdc++.so.6": [("GLIBCXX_3.4.26", 0)]}

    def change(artifact):
        return artifact._replace(libc=Libc("glibc", "2.14"))

    found = said(Elf(versions=versions), tag="manylinux_2_14_x86_64", change=change)
    assert found.keys() == {"B004", "B005"}
    assert "it is packed under `manylinux_2_14_x86_64`" in found["B004"][1]


def test_a_library_for_musl_is_not_one_for_glibc(said):
    def change(artifact):
        return artifact._replace(libc=Libc("glibc", "2.0"))

    found = said(Elf(**MUSL), tag="manylinux_2_17_x86_64", change=change)
    assert found.keys() == {"B004", "B005"}
