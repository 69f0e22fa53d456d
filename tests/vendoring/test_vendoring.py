"""From requirements to files: what is vendored, where it lies, what is refused."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.errors import (
    BuildFailed,
    Code,
    FileProblem,
    NetworkProblem,
    Severity,
    UsageError,
)
from cloacina_ctl.formats.wheel.reader import digest_of_file
from cloacina_ctl.project.detect import VENDOR_LOCK
from cloacina_ctl.vendoring.installers import programs
from cloacina_ctl.vendoring.installers.configuration import Users
from cloacina_ctl.vendoring.locks.lock import (
    dump_lock,
    read_lock,
    write_lock,
)
from cloacina_ctl.vendoring.store import Cache
from cloacina_ctl.vendoring.vendor import Vendored
from tests.support.elf_builder import AARCH64
from tests.support.trees import plant, tree
from tests.support.wheels import PURE, file_name, members, wheel, zipped
from tests.vendoring.projects import (
    NATIVE,
    library,
    lock,
    program,
    project,
    refused,
    uv_that_chooses,
    vendored,
)

if TYPE_CHECKING:
    pass

GLIBC, ARM = "manylinux_2_36_x86_64", "manylinux_2_28_aarch64"


def paths(found: Vendored) -> list[str]:
    return [str(file.path) for file in found.files if ".dist-info/" not in file.path]


def test_a_locked_wheel_from_a_wheelhouse_needs_no_other_program(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one", requires=["two"]), wheel(house, "two"))
    found = vendored(root, work, house)
    assert paths(found) == ["vendor/one/__init__.py", "vendor/two/__init__.py"]
    assert {file.title for file in found.files} == {"one 1.0", "two 1.0"}
    assert (found.artifacts, found.python, found.new_lock, found.diagnostics) == (
        (),
        None,
        None,
        (),
    )


def test_without_a_lock_pip_chooses_from_the_wheelhouse_alone(tmp_path, work, house):
    root = project(tmp_path, '["one>=1"]')
    wheel(house, "one", version="1.0", requires=["two; python_version < '3.15'"])
    newest = wheel(house, "one", version="1.2", requires=["two; python_version < '3.15'"])
    two = wheel(house, "two")
    wheel(house, "unneeded")
    found = vendored(root, work, house)
    assert found.new_lock is not None
    assert [one.file for one in found.new_lock.wheels] == [newest.name, two.name]
    assert found.new_lock.inputs == ("one>=1",)
    assert [str(one.code) for one in found.diagnostics] == ["Y016"]
    write_lock(str(root), found.new_lock)
    again = vendored(root, work, house, locked=True)
    assert again.new_lock is None
    assert [(file.path, file.size) for file in again.files] == [
        (file.path, file.size) for file in found.files
    ]


def test_what_was_used_once_is_kept_and_taken_offline(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    path = wheel(house, "one")
    lock(root, path)
    Cache().keep(str(path))
    path.unlink()
    assert paths(vendored(root, work, offline=True)) == ["vendor/one/__init__.py"]


def test_a_damaged_wheel_of_the_cache_is_not_taken(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    path = wheel(house, "one")
    lock(root, path)
    kept = Cache().find(path.name, Cache().keep(str(path)))
    with open(kept, "ab") as file:
        file.write(b"x")
    ((code, message),) = refused(root, work, offline=True)
    assert code is Code.RESOLVING
    assert path.name in message
    Cache().keep(str(path))
    assert vendored(root, work, offline=True).files


def test_a_cache_that_cannot_be_written_is_none(tmp_path, work, house, monkeypatch):
    monkeypatch.setenv("CLOACINA_CTL_CACHE_DIR", "/dev/null/cache")
    root = project(tmp_path, '["one"]')
    wheel(house, "one")
    assert paths(vendored(root, work, house)) == ["vendor/one/__init__.py"]


@pytest.mark.parametrize(
    ("name", "value", "folder"),
    [
        ("XDG_CACHE_HOME", "{}/xdg", "xdg/cloacina-ctl/wheels"),
        ("XDG_CACHE_HOME", "relative", ".cache/cloacina-ctl/wheels"),
    ],
)
def test_the_cache_lies_in_the_users_own_folder(name, value, folder, tmp_path, house, monkeypatch):
    monkeypatch.delenv("CLOACINA_CTL_CACHE_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(name, value.format(tmp_path))
    digest = Cache().keep(str(wheel(house, "one")))
    assert os.listdir(tmp_path / folder) == [digest]


def test_the_cache_alone_is_chosen_from_offline(tmp_path, work, house):
    root = project(tmp_path, '["one"]')
    assert refused(root, work, offline=True)[0][0] is Code.RESOLVING
    Cache().keep(str(wheel(house, "one", {"one/__init__.py": "built = 'again'\n"})))
    Cache().keep(str(wheel(house, "one")))
    shutil.rmtree(house)
    found = vendored(root, work, offline=True)
    assert [one.name for one in found.new_lock.wheels] == ["one"]
    root = project(tmp_path, '["two"]')
    assert refused(root, work, offline=True)[0][0] is Code.RESOLVING


def test_a_lock_that_does_not_fit_is_made_anew_and_that_is_said(tmp_path, work, house):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one"))
    project(tmp_path, '["one", "two"]')
    wheel(house, "two")
    found = vendored(root, work, house)
    assert [one.name for one in found.new_lock.wheels] == ["one", "two"]
    (note,) = found.diagnostics
    assert "not made from: two" in note.message
    assert note.severity is Severity.NOTE


def test_locked_takes_no_other_than_a_lock_that_fits(tmp_path, work, house):
    root = project(tmp_path, '["one"]')
    wheel(house, "one")
    assert "there is no lock" in refused(root, work, house, locked=True)[0][1]
    lock(root, *(house / name for name in os.listdir(house)))
    vendored(root, work, house, locked=True)
    project(tmp_path, '["one", "two"]')
    ((code, message),) = refused(root, work, house, locked=True)
    assert code is Code.LOCK_FILE
    assert "--locked" in message
    project(tmp_path, '["one"]')
    assert "Python 3.11" in refused(root, work, house, locked=True, python="3.12")[0][1]
    assert GLIBC in refused(root, work, house, locked=True, platforms=(ARM,))[0][1]


def test_an_upgrade_chooses_anew_though_the_lock_fits(tmp_path, work, house):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one"))
    wheel(house, "one", version="2.0")
    assert vendored(root, work, house).new_lock is None
    assert vendored(root, work, house, upgrade=True).new_lock.wheels[0].version == "2.0"
    (root / VENDOR_LOCK).write_text("broken")
    assert vendored(root, work, house, upgrade=True).new_lock.wheels[0].version == "2.0"


def test_a_wheel_that_is_not_the_locked_one_is_refused(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    path = wheel(house, "one")
    lock(root, path)
    wheel(house, "one", {"one/__init__.py": "evil = True\n"})
    assert refused(root, work, house)[0][0] is Code.WHEEL_DIGEST


def test_a_lock_with_a_wheel_too_few_or_too_many_is_refused(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    one, two = wheel(house, "one", requires=["two"]), wheel(house, "two")
    lock(root, one)
    ((code, message),) = refused(root, work, house)
    assert (code, message) == (Code.LOCK_FILE, "one 1.0 needs two, and there is none")
    lock(root, one, two, wheel(house, "evil"))
    assert "nothing needs: evil" in refused(root, work, house)[0][1]


def test_a_requirements_file_with_digests_allows_no_other_wheel(tmp_path, work, house, no_pip):
    path = wheel(house, "one")
    good = f"one==1.0 --hash=sha256:{digest_of_file(str(path))}\n"
    root = tree(tmp_path / "tree", {"requirements.txt": good})
    lock(root, path)
    assert "vendor/one/__init__.py" in paths(vendored(root, work, house))
    plant(root, {"requirements.txt": f"one==1.0 --hash=sha256:{'0' * 64}\n"})
    assert refused(root, work, house)[0][0] is Code.WHEEL_DIGEST


def test_a_project_without_dependencies_vendors_nothing_and_locks_nothing(tmp_path, work, no_pip):
    root = project(tmp_path, "[]")
    assert vendored(root, work) == Vendored()
    assert not (root / VENDOR_LOCK).exists()


def test_the_engine_is_never_vendored_also_where_another_needs_it(tmp_path, work, house):
    root = project(tmp_path, '["one", "Cloaca>=0.6"]')
    wheel(house, "one", requires=["cloaca-sqlite"])
    wheel(house, "cloaca_sqlite")
    found = vendored(root, work, house)
    assert paths(found) == ["vendor/one/__init__.py"]
    assert [one.name for one in found.new_lock.wheels] == ["one"]
    notes = [one.message for one in found.diagnostics if one.code is Code.ENGINE_VENDORED]
    assert [note.split(",")[0] for note in notes] == [
        "not vendored: cloaca", "not vendored: cloaca-sqlite"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["http", "io", "json", "code", "subprocess", "cloaca"])
@pytest.mark.parametrize("path", ["{}.py", "{}/__init__.py", "{}/inner.py"])
def test_a_name_that_engines_refuse_is_refused_with_its_distribution(
    name, path, tmp_path, work, house, no_pip
):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one", {path.format(name): ""}))
    ((code, message),) = refused(root, work, house)
    assert code is Code.SHADOWED_NAME
    assert "one 1.0" in message


def test_another_standard_module_is_a_warning(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one", {"dataclasses.py": ""}))
    (warning,) = vendored(root, work, house).diagnostics
    assert (warning.code, warning.severity) == (Code.SHADOWED_NAME, Severity.WARNING)


def test_a_module_of_the_project_or_of_its_own_vendor_folder_is_refused(
    tmp_path, work, house, no_pip
):
    root = project(tmp_path, '["one", "two"]')
    plant(root, {"vendor/hand/__init__.py": ""})
    lock(root, wheel(house, "one", {"demo/x.py": ""}), wheel(house, "two", {"hand.py": ""}))
    found = refused(root, work, house)
    assert {code for code, _ in found} == {Code.VENDOR_CLASH}
    assert "`demo` is a module of the project" in found[0][1]
    assert "`hand.py` of two 1.0" in found[1][1]


def test_two_wheels_with_different_files_of_one_path_are_refused(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one", "two"]')
    one = wheel(house, "one", {"space/__init__.py": "1", "space/one.py": "", "same.py": "x"})
    two = wheel(house, "two", {"space/__init__.py": "22", "space/two.py": "", "same.py": "x"})
    lock(root, one, two)
    assert refused(root, work, house)[0][0] is Code.VENDOR_CLASH
    two = wheel(house, "two", {"space/__init__.py": "2", "space/two.py": "", "same.py": "x"})
    lock(root, one, two)
    assert refused(root, work, house) == [
        (Code.VENDOR_CLASH, "one 1.0 and two 1.0 have different files with one path")
    ]
    two = wheel(house, "two", {"space/__init__.py": "1", "space/two.py": "", "same.py": "x"})
    lock(root, one, two)
    assert paths(vendored(root, work, house)) == [
        "vendor/same.py", "vendor/space/__init__.py", "vendor/space/one.py", "vendor/space/two.py"
    ]  # fmt: skip
    lock(root, one, wheel(house, "two", {"Same.py": "x"}))
    assert "one name" in refused(root, work, house)[0][1]


def test_compiled_code_goes_to_the_platform_that_its_libraries_need(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one", "two"]')
    files = {
        "two/__init__.py": "",
        "two/a.cpython-311-x86_64-linux-gnu.so": library("2.14"),
        "two/b.cpython-311-x86_64-linux-gnu.so": library("2.28"),
    }
    native = wheel(house, "two", files, tag="cp311-cp311-manylinux_2_28_x86_64")
    lock(root, wheel(house, "one"), native)
    found = vendored(root, work, house)
    folder = "platform/manylinux_2_28_x86_64/vendor"
    assert paths(found) == [
        *(f"{folder}/{name}" for name in sorted(files)), "vendor/one/__init__.py"
    ]  # fmt: skip
    (artifact,) = found.artifacts
    assert (artifact.platform, artifact.kind) == ("manylinux_2_28_x86_64", "wheel-tree")
    assert artifact.path == f"{folder}/two/b.cpython-311-x86_64-linux-gnu.so"
    assert artifact.libc == ("glibc", "2.28")


def test_compiled_code_for_one_python_narrows_what_the_package_says(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one", {"one.so": library()}, tag=NATIVE))
    found = vendored(root, work, house)
    assert found.python == "==3.11.*"
    assert [(one.code, one.severity) for one in found.diagnostics] == [
        (Code.NARROWED_PYTHON, Severity.WARNING)
    ]
    stable = wheel(house, "one", {"one.so": library()}, tag="cp310-abi3-manylinux_2_17_x86_64")
    lock(root, stable)
    assert vendored(root, work, house).python is None


def test_a_dependency_that_only_some_pythons_have_narrows_it_too(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one", "backport; python_version < \'3.11\'"]')
    lock(root, wheel(house, "one"))
    assert vendored(root, work, house).python == ">=3.11"


def test_an_upper_bound_of_a_dependency_narrows_it_too(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]', python=None)
    lock(root, wheel(house, "one", python=">=3.10,<3.13"))
    assert vendored(root, work, house).python == "<3.13,>=3.10"


def test_a_dependency_for_a_newer_python_than_the_locks_is_refused(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one", python=">=3.12"))
    ((code, message),) = refused(root, work, house)
    assert (code, message) == (
        Code.DEPENDENCY, "one 1.0 is not for Python 3.11: it needs >=3.12"
    )  # fmt: skip
    lock(root, wheel(house, "one", python=">=3.11"))
    assert vendored(root, work, house).python == ">=3.11"
    project(tmp_path, '["one"]', python=">=3.11")
    assert vendored(root, work, house).python is None


def test_compiled_code_in_a_wheel_that_claims_to_be_pure_is_found(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one", {"one/_fast.so": library("2.17"), "one/__init__.py": ""}))
    assert paths(vendored(root, work, house))[0].startswith("platform/manylinux_2_17_x86_64/vendor")


@pytest.mark.parametrize(
    ("files", "tag", "says"),
    [
        ({"a.so": library("2.38")}, NATIVE, "it is for manylinux_2_38_x86_64"),
        ({"a.so": library(machine=AARCH64)}, NATIVE, "it is for manylinux_2_17_aarch64"),
        ({"a.so": library("", needed="libc.musl-x86_64.so.1")}, NATIVE, "it is for musllinux"),
        ({"a.py": ""}, "py3-none-manylinux_2_17_x86_64", "one 1.0 is named for one platform"),
        ({"tool": b"\x7fELF not one"}, NATIVE, None),
    ],
)
def test_compiled_code_that_is_not_for_the_platform_is_refused(
    files, tag, says, tmp_path, work, house, no_pip
):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one", files, tag=tag))
    ((code, message),) = refused(root, work, house)
    assert says is None or (code is Code.NATIVE_VENDORED and says in message)


def test_several_platforms_share_what_is_pure(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one", "two", "three; platform_machine == \'aarch64\'"]')
    pure = wheel(house, "one")
    x86 = wheel(house, "two", {"two.so": library()}, tag="cp311-abi3-manylinux_2_17_x86_64")
    arm = wheel(
        house, "two", {"two.so": library("2.28", AARCH64)}, tag="cp311-abi3-manylinux_2_28_aarch64"
    )
    three = wheel(house, "three")
    both = (ARM, GLIBC)
    only = {x86.name: (GLIBC,), arm.name: (ARM,), three.name: (ARM,)}
    lock(root, pure, x86, arm, three, platforms=both, only=only)
    found = vendored(root, work, house)
    assert paths(found) == [
        "platform/manylinux_2_17_x86_64/vendor/two.so",
        "platform/manylinux_2_28_aarch64/vendor/three/__init__.py",
        "platform/manylinux_2_28_aarch64/vendor/two.so",
        "vendor/one/__init__.py",
    ]
    assert [one.platform for one in found.artifacts] == [
        "manylinux_2_17_x86_64", "manylinux_2_28_aarch64"
    ]  # fmt: skip


def test_two_platforms_whose_code_is_for_one_are_refused(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    older = "manylinux_2_28_x86_64"
    path = wheel(house, "one", {"one.so": library()}, tag=NATIVE)
    lock(root, path, platforms=(older, GLIBC))
    assert "one and the same" in refused(root, work, house)[0][1]


@pytest.mark.slow
def test_platforms_that_no_lock_tells_apart_are_refused_together(tmp_path, work, house):
    """A lock knows the machine: of two versions for one machine another tool takes neither."""
    root = project(tmp_path, '["one"]')
    musl = "musllinux_1_2_x86_64"
    wheel(house, "one", {"one.so": library()}, version="2.0", tag=NATIVE)
    files = {"one.so": library("", needed="libc.musl-x86_64.so.1")}
    wheel(house, "one", files, version="1.0", tag=f"cp311-cp311-{musl}")
    options = {"python": "3.11", "platforms": (GLIBC, musl)}
    ((code, message),) = refused(root, work, house, **options)
    assert code is Code.LOCK_FILE
    assert message == f"the wheels for {GLIBC}, {musl} differ in a way that no lock can express"
    wheel(house, "one", files, version="2.0", tag=f"cp311-cp311-{musl}")
    assert len(vendored(root, work, house, **options).new_lock.wheels) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("chooser")
def test_the_lock_says_where_a_wheel_lies_that_comes_from_no_index(tmp_path, work):
    root = project(tmp_path, '["one"]')
    one, cache = wheel(root / "wheels", "one"), os.environ["CLOACINA_CTL_CACHE_DIR"]
    for options, folder in (
        ({"house": root / "wheels"}, "wheels"),
        ({"sources": (("one", str(one)),)}, "wheels"),
        ({"offline": True}, os.path.relpath(f"{cache}/wheels/{digest_of_file(one)}", root)),
    ):
        found = vendored(root, work, **options)
        assert f'path = "{folder}/{one.name}"\n' in dump_lock(found.new_lock, str(root)).decode()


def test_a_package_in_two_folders_is_refused(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one", "two"]')
    native = {"space/fast.so": library()}
    lock(
        root,
        wheel(house, "one", {"space/__init__.py": ""}),
        wheel(house, "two", native, tag=NATIVE),
    )
    assert "`space` is in one 1.0" in refused(root, work, house)[0][1]
    lock(root, wheel(house, "one", {"space/x.py": ""}), wheel(house, "two", native, tag=NATIVE))
    assert len(paths(vendored(root, work, house))) == 2


def test_libraries_for_two_systems_are_refused(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]', config="")
    files = {"a.so": library("", needed="libc.musl-x86_64.so.1"), "b.so": library()}
    path = wheel(house, "one", files, tag="cp311-cp311-linux_x86_64")
    lock(root, path, platforms=("linux_x86_64",))
    assert "glibc and for musl" in refused(root, work, house)[0][1]


def test_a_wheel_that_is_named_for_another_is_refused(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    found = members("one")
    info = "one-1.0.dist-info/METADATA"
    found[info] = found[info].replace(b"Name: one", b"Name: two")
    del found["one-1.0.dist-info/RECORD"]
    from tests.support.wheels import row

    rows = [row(path, data) for path, data in found.items()]
    found["one-1.0.dist-info/RECORD"] = "\n".join([*rows, "one-1.0.dist-info/RECORD,,"]).encode()
    path = house / file_name("one")
    path.write_bytes(zipped(found))
    lock(root, path)
    assert refused(root, work, house) == [
        (Code.BAD_WHEEL, "METADATA is of another distribution: two 1.0")
    ]


def test_a_source_distribution_is_never_taken(tmp_path, work, house):
    root = project(tmp_path, '["one"]')
    (house / "one-1.0.tar.gz").write_bytes(b"")
    ((code, message),) = refused(root, work, house)
    assert code is Code.RESOLVING
    assert "one" in message


def test_no_pip_and_no_uv_is_said_with_the_cure(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    wheel(house, "one")
    with pytest.raises(BuildFailed) as error:
        vendored(root, work, house)
    (problem,) = error.value.diagnostics
    assert problem.code is Code.NO_RESOLVER
    assert "--wheelhouse" in problem.hint


@pytest.mark.slow
def test_an_index_that_is_not_there_is_said_with_its_address(tmp_path, work, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:hunter2hunter2@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    root = project(tmp_path, '["one"]')
    with pytest.raises(NetworkProblem) as error:
        vendored(root, work)
    (problem,) = error.value.diagnostics
    assert problem.code is Code.INDEX_FAILED
    assert "http://127.0.0.1:9/simple/one/: connection error" in problem.message
    assert "pip wheel" not in problem.hint
    lock(root, wheel(tmp_path / "other", "one"))
    with pytest.raises(NetworkProblem):
        vendored(root, work)


def test_a_wheelhouse_that_is_none_is_said(tmp_path, work):
    root = project(tmp_path, '["one"]')
    with pytest.raises(FileProblem):
        vendored(root, work, tmp_path / "gone")


def test_a_python_or_platform_that_the_project_is_not_for_is_refused(tmp_path, work, house):
    root = project(tmp_path, '["one"]', python=">=3.12")
    assert "not for 3.11" in refused(root, work, house, python="3.11")[0][1]
    project(tmp_path, '["one"]', python=">=4")
    assert "no known version of Python" in refused(root, work, house)[0][1]
    with pytest.raises(UsageError):
        vendored(root, work, house, platforms=("windows",))


def test_the_first_python_of_the_project_is_chosen_where_ours_does_not_fit(tmp_path, work, house):
    root = project(tmp_path, '["one"]', python="==3.9.*")
    wheel(house, "one")
    assert vendored(root, work, house).new_lock.python == "3.9"


def test_uv_chooses_where_it_is_installed_and_its_very_wheel_is_taken(
    tmp_path, work, house, monkeypatch
):
    root = project(tmp_path, '["one"]')
    wheel(house, "one")
    best = wheel(house, "one", {"one.so": library()}, tag=NATIVE)
    digest = digest_of_file(str(best))
    engine = ("cloaca", f"{house}/cloaca-1.0-py3-none-any.whl", "0" * 64)
    uv = uv_that_chooses(tmp_path / "bin", ("one", str(best), digest), engine)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    found = vendored(root, work, house, python="3.11", platforms=(GLIBC,))
    assert [one.file for one in found.new_lock.wheels] == [best.name]
    arguments = uv.with_name("arguments").read_text().splitlines()
    for needed in ("--only-binary=:all:", "--generate-hashes", "--no-index", "--offline",
                   "--python-version=3.11", "--python-platform=x86_64-manylinux_2_36"):  # fmt: skip
        assert needed in arguments
    other = f"{house}/{file_name('one', tag='cp312-cp312-manylinux_2_17_x86_64')}"
    uv_that_chooses(tmp_path / "bin", ("one", other, digest))
    ((code, message),) = refused(root, work, house, python="3.11", platforms=(GLIBC,))
    assert code is Code.RESOLVING
    assert "uv's answer cannot be used" in message


def test_what_uv_says_is_told_from_its_error_on(tmp_path, work, monkeypatch):
    root = project(tmp_path, '["one"]')
    text = "import sys\nsys.stderr.write('warning: x\\nerror: No way\\n  because of this\\n')\n"
    program(tmp_path / "bin", "uv", text + "sys.exit(2)\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert refused(root, work, python="3.11") == [
        (Code.RESOLVING, "uv cannot choose versions: No way because of this")
    ]
    program(tmp_path / "bin", "uv", "import sys\nsys.exit(2)\n")
    assert "exit status 2" in refused(root, work, python="3.11")[0][1]


def test_pip_is_our_own_then_that_of_the_path_then_uvs(tmp_path, monkeypatch):
    assert programs.find_pip() == (sys.executable, "-m", "pip")
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert programs.find_pip() is None
    uv = program(tmp_path / "bin", "uv", "")
    assert programs.find_pip() == (str(uv), "tool", "run", "--quiet", "pip")
    pip = program(tmp_path / "bin", "pip", "")
    assert programs.find_pip() == (str(pip),)


def test_what_was_chosen_for_another_python_and_is_incomplete_is_refused(
    tmp_path, work, house, monkeypatch
):
    """pip judges conditions for the Python that it runs on."""
    root = project(tmp_path, '["one"]')
    path = wheel(house, "one", requires=["two"])
    uv_that_chooses(tmp_path / "bin", ("one", str(path), digest_of_file(str(path))))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    ((code, message),) = refused(root, work, house, python="3.11")
    assert code is Code.RESOLVING
    assert "one 1.0 needs two" in message


def test_programs_see_the_users_settings_but_not_what_would_bend_them(monkeypatch, house):
    for name in ("PIP_INDEX_URL", "UV_INDEX_MINE_PASSWORD", "PIP_TARGET", "UV_PYTHON"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("CLOACINA_CTL_SIGNING_KEY", "secret")
    seen = programs._environment(None, Users())
    assert {"PIP_INDEX_URL", "UV_INDEX_MINE_PASSWORD"} <= seen.keys()
    assert not {"PIP_TARGET", "UV_PYTHON", "CLOACINA_CTL_SIGNING_KEY"} & seen.keys()
    assert "PIP_INDEX_URL" not in programs._environment(str(house), Users())


def test_locked_wheels_that_are_missing_are_fetched_by_their_digest(
    tmp_path, work, house, monkeypatch
):
    """The user's own pip settings say where from: here a folder."""
    monkeypatch.setenv("PIP_FIND_LINKS", str(house))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one"))
    assert paths(vendored(root, work)) == ["vendor/one/__init__.py"]
    shutil.rmtree(house)
    assert paths(vendored(root, work, offline=True)) == ["vendor/one/__init__.py"]


def test_a_wheel_for_several_platforms_is_fetched_once(tmp_path, work, house, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(house))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one"), platforms=(ARM, GLIBC))
    assert paths(vendored(root, work)) == ["vendor/one/__init__.py"]


def test_a_replaced_wheel_of_an_index_is_refused_by_pip(tmp_path, work, house, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(house))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one"))
    wheel(house, "one", {"one/__init__.py": "evil = True\n"})
    assert refused(root, work)[0][0] is Code.WHEEL_DIGEST


def test_a_machine_that_is_not_linux_has_to_name_the_runtimes_platform(
    tmp_path, work, house, monkeypatch
):
    monkeypatch.setattr(sys, "platform", "darwin")
    root = project(tmp_path, '["one"]')
    wheel(house, "one")
    assert "is not that of this machine" in refused(root, work, house)[0][1]
    assert vendored(root, work, house, platforms=(GLIBC,)).files
    monkeypatch.delenv("CLOACINA_CTL_CACHE_DIR")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    Cache().keep(str(house / file_name("one")))
    assert (tmp_path / "home" / "Library" / "Caches" / "cloacina-ctl" / "wheels").is_dir()


def test_a_file_that_is_hardly_named_as_a_wheel_is_passed_over(tmp_path, work, house, monkeypatch):
    root = project(tmp_path, '["one"]')
    path = wheel(house, "one")
    (house / "one-none-py3-none-any.whl").write_bytes(b"")
    (house / "README.md").write_bytes(b"")
    uv_that_chooses(tmp_path / "bin", ("one", str(path), digest_of_file(str(path))))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert len(vendored(root, work, house, python="3.11").new_lock.wheels) == 1


def test_a_program_that_says_it_fetched_and_did_not_is_found_out(
    tmp_path, work, house, monkeypatch
):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one"))
    program(tmp_path / "bin", "pip", "")
    monkeypatch.setattr(sys, "executable", "")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}")
    assert refused(root, work) == [(Code.RESOLVING, "pip did not fetch: one-1.0-py3-none-any.whl")]


def test_a_requirement_for_another_platform_leads_to_no_wheel(tmp_path, work, monkeypatch):
    root = project(tmp_path, "[\"one; sys_platform == 'win32'\"]")
    uv_that_chooses(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert vendored(root, work, python="3.11").files == ()
    program(tmp_path / "bin", "uv", "")
    assert "uv's answer cannot be used" in refused(root, work, python="3.11")[0][1]


def test_a_program_among_libraries_is_packed_and_tells_no_platform(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    program_bytes = bytearray(library())
    program_bytes[16] = 2  # ET_EXEC
    files = {"one/tool": bytes(program_bytes), "one/fast.so": library()}
    lock(root, wheel(house, "one", files, tag=NATIVE))
    found = vendored(root, work, house)
    assert len(paths(found)) == 2
    assert found.artifacts[0].path.endswith("one/fast.so")


def test_what_has_no_effect_here_is_said_with_its_wheel(tmp_path, work, house, no_pip):
    root = project(tmp_path, '["one"]')
    files = {
        "one/__init__.py": "",
        "hook.pth": "import os; os.environ.setdefault('ONE', '1')\n",
        "one-1.0.data/data/share/one/a.txt": "",
        "one-1.0.data/data/share/one/b.txt": "",
    }
    lock(root, wheel(house, "one", files))
    warning, note = vendored(root, work, house).diagnostics
    assert (warning.code, warning.severity) == (Code.STARTUP_FILE, Severity.WARNING)
    assert "hook.pth of one 1.0" in warning.message
    assert "runs code when Python starts: `import os; os.environ" in warning.message
    assert (note.code, note.severity) == (Code.DATA_FILES, Severity.NOTE)
    assert "share/one/a.txt and 1 more" in note.message


def test_the_lock_is_only_read_here(tmp_path, work, house):
    root = project(tmp_path, '["one"]')
    wheel(house, "one")
    vendored(root, work, house)
    assert read_lock(str(root)) is None
    assert PURE in file_name("one")
