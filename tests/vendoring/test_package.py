"""`package --vendor` as a whole: the command, the file that it makes, what it leaves behind."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.formats.limits import DEFAULT_LIMITS
from cloacina_ctl.operations.inspect import inspect
from cloacina_ctl.operations.packaging.vendoring import (
    VendorRequest,
    WorkFolder,
    planned_flat,
    vendored_files,
)
from cloacina_ctl.project.reading import read_project
from tests.support.cli import Outcome
from tests.support.elf_builder import AARCH64, Elf
from tests.support.projects import ROOT
from tests.support.trees import TASK, found, plant, tree
from tests.support.waiting import wait_until
from tests.support.wheels import file_name, members, wheel, zipped
from tests.vendoring.projects import GLIBC, NATIVE, library, lock, program, project


@pytest.fixture
def run(tmp_path, monkeypatch, cli):
    """Run the command here; return its status, output and messages."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr("tempfile.tempdir", None)

    def command(*words: object) -> Outcome:
        said = cli(*words)
        assert os.listdir(scratch) == []
        return said

    return command


@pytest.fixture
def native(tmp_path, house):
    """A project with a pure and a compiled dependency, locked, in a configured wheelhouse."""
    root = project(
        tmp_path,
        '["one", "two"]',
        config=f'vendor = true\nvendor_python = "3.11"\nwheelhouse = "{house}"\n',
    )
    one = wheel(house, "one", {"one/__init__.py": "", "one-1.0.data/scripts/tool": "#!python\n"})
    lock(root, one, wheel(house, "two", {"two.so": library()}, tag=NATIVE))
    return root


def test_a_library_of_a_wheel_that_searches_a_folder_of_its_builder_is_named_and_kept(
    tmp_path, house, run
):
    versions = {"libc.so.6": [("GLIBC_2.17", 0)]}
    data = Elf(runpath="/opt/builder/lib:$ORIGIN", versions=versions).build()
    root = project(
        tmp_path,
        '["two"]',
        config=f'vendor = true\nvendor_python = "3.11"\nwheelhouse = "{house}"\n',
    )
    files = {"two/_a.so": data, "two/_b.so": data, "two/__init__.py": ""}
    lock(root, wheel(house, "two", files, tag=NATIVE))
    status, out, _ = run("package", root, "-o", tmp_path / "x", "--no-sign", "--json")
    assert status == 0
    (found,) = [one for one in json.loads(out)["diagnostics"] if one["code"] == "B006"]
    assert (found["severity"], found["where"]) == ("warning", "two/_a.so")
    assert found["message"].startswith("it searches for other libraries in /opt/builder/lib (and")
    digest = hashlib.sha256(data).hexdigest()
    packed = {str(file.path): file.sha256 for file in inspect(str(tmp_path / "x")).files}
    assert packed["platform/manylinux_2_17_x86_64/vendor/two/_a.so"] == digest


def test_the_list_says_which_distribution_a_file_is_of_and_writes_nothing(
    tmp_path, house, run, native
):
    (native / "pylock.cloacina.toml").unlink()
    status, out, _ = run("package", native, "--list", "--json", "-v")
    assert status == 0
    listed = json.loads(out)["result"]
    reasons = {file["path"]: file["reason"] for file in listed["files"]}
    assert reasons["vendor/one/__init__.py"] == "vendored: one 1.0"
    assert reasons["platform/manylinux_2_17_x86_64/vendor/two.so"] == "vendored: two 1.0"
    assert {"one-1.0.data/scripts/tool"} <= {
        one["path"].partition("/")[2] for one in listed["left_out"]
    }
    assert not (native / "pylock.cloacina.toml").exists()
    assert "Y016" in out


def test_the_same_lock_makes_the_same_bytes_and_every_verb_takes_them(tmp_path, run, native):
    first, second = tmp_path / "a.cloacina", tmp_path / "b.cloacina"
    assert run("package", native, "-o", first, "--locked", "--offline")[0] == 0
    os.utime(native / "src" / "demo" / "tasks.py", (1, 1))
    status, _, err = run("package", native, "-o", second, "-v")
    assert status == 0
    assert "note[Y023]" in err
    assert first.read_bytes() == second.read_bytes()
    manifest = inspect(str(first)).manifest
    assert [one.kind for one in manifest.artifacts] == ["wheel-tree"]
    assert manifest.requires.python == "==3.11.*"
    assert run("validate", first, "--ignore", "S")[:2][0] == 0
    assert run("verify", "--allow-unsigned", first)[0] == 0
    assert run("unpack", "--allow-unsigned", first, "-o", tmp_path / "out")[0] == 0
    folder = tmp_path / "out" / "platform" / "manylinux_2_17_x86_64" / "vendor"
    assert (folder / "two.so").read_bytes() == library()


def test_a_new_lock_is_written_and_that_is_said(tmp_path, run, native):
    (native / "pylock.cloacina.toml").unlink()
    status, _, err = run("package", native, "-o", tmp_path / "a.cloacina")
    assert status == 0
    note, *changes = err.splitlines()[:3]
    assert note.endswith(
        f"pylock.cloacina.toml: new: 2 wheels for Python 3.11 on {GLIBC}, this machine's platform"
        " — commit it; for another target give --vendor-platform"
    )
    assert changes == [" + one 1.0", " + two 1.0"]
    assert 'name = "two"' in (native / "pylock.cloacina.toml").read_text()
    (native / "pylock.cloacina.toml").unlink()
    status, _, err = run("package", native, "-o", tmp_path / "c.cloacina", "--verbose")
    assert err.count("Y016") == 1
    status, _, err = run("package", native, "-o", tmp_path / "b.cloacina", "--quiet")
    assert (status, err) == (0, "")


def test_what_is_updated_is_said_and_an_option_that_was_given_is_not_asked_for(
    tmp_path, house, run, native
):
    wheel(house, "one", version="2.0")
    words = ("--vendor-python", "3.11", "--vendor-platform", "manylinux_2_28_x86_64")
    status, out, err = run("package", native, *words, "-o", tmp_path / "x.cloacina", "--json")
    assert status == 0
    assert json.loads(out)["result"]["vendored"] == [
        {"name": "one", "version": "2.0"}, {"name": "two", "version": "1.0"}
    ]  # fmt: skip
    note, *changes = err.splitlines()[:3]
    assert note.endswith(f"pylock.cloacina.toml: updated: it was made for {GLIBC} — commit it")
    assert changes == [" - one 1.0", " + one 2.0"]
    assert "Y023" not in err


def test_a_flag_wins_over_the_configuration(tmp_path, house, run, native):
    status, out, _ = run("package", native, "--list", "--no-vendor")
    assert status == 0
    assert "vendored" not in out
    root = project(tmp_path / "other", '["one"]')
    lock(root, house / file_name("one"))
    status, out, _ = run("package", root, "--list", "--vendor", "--wheelhouse", house)
    assert "vendored: one 1.0" in out


@pytest.mark.parametrize(
    "words",
    [("--vendor", "--no-vendor"), ("--upgrade-vendored", "--locked"),
     ("--vendor-platform", "windows"), ("--vendor-python", "three")],
)  # fmt: skip
def test_a_command_line_that_makes_no_sense_is_refused(words, run, native):
    assert run("package", native, "--list", *words)[0] == 2


@pytest.mark.parametrize(
    "words",
    [("--locked",), ("--wheelhouse", "."), ("--vendor-python", "3.11"), ("--upgrade-vendored",),
     ("--vendor-platform", "manylinux_2_28_x86_64")],
)  # fmt: skip
def test_no_package_is_made_without_dependencies_by_who_says_how_to_vendor(
    tmp_path, house, run, words
):
    root = project(tmp_path / "plain", '["one"]')
    lock(root, wheel(house, "one", {"one/__init__.py": ""}))
    status, _, err = run("package", root, "--list", *words)
    assert status == 2
    assert "nothing would be vendored" in err
    assert run("package", root, "--list", "--no-vendor", *words)[0] == 0


def test_a_crate_has_no_such_dependencies(run):
    crate = ROOT / "fixtures" / "rust_tutorial"
    request = VendorRequest(wanted=True)
    with WorkFolder() as work, pytest.raises(Exception, match="only a Python project"):
        vendored_files(read_project(str(crate)), request, work, DEFAULT_LIMITS)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ('vendor = "yes"', "true or false"),
        ("wheelhouse = 1", "must be a string"),
        ("vendor_platforms = [1]", "list of strings"),
        ('vendor_platforms = "x"', "list of strings"),
        ("vendors = true", "no such key"),
    ],
)
def test_a_configuration_that_is_none_is_refused(table, says, tmp_path):
    root = project(tmp_path, "[]", config=table)
    with pytest.raises(Refused, match=says):
        read_project(str(root))


@pytest.mark.parametrize(
    "table",
    ["vendor = true", "vendor_platforms = []", 'wheelhouse = "x"', 'vendor_python = "3.11"'],
)
def test_a_crate_configures_no_vendoring(table, tmp_path):
    cargo = f'[package]\nname = "x"\nversion = "1.0.0"\n[package.metadata.cloacina]\n{table}\n'
    plant(tmp_path, {"Cargo.toml": cargo, "src/lib.rs": ""})
    with pytest.raises(Refused, match="for Python projects"):
        read_project(str(tmp_path))


def test_neither_the_lock_nor_the_wheelhouse_of_a_tree_is_packed(tmp_path, run):
    root = tree(tmp_path / "tree", {"requirements.txt": "one\n"})
    plant(root, {"cloacina.toml": ""})
    os.unlink(root / "cloacina.toml")
    path = wheel(root / "wheels", "one")
    lock(root, path)
    text = '[tool.cloacina]\nvendor = true\nwheelhouse = "./wheels/"\n'
    plant(root, {"pyproject.toml": text})
    status, out, _ = run("package", root, "--list", "--json")
    assert status == 0
    listed = json.loads(out)["result"]
    packed = [file["path"] for file in listed["files"]]
    assert "vendor/one/__init__.py" in packed
    assert not [
        path for path in packed if path.startswith("wheels") or path == "pylock.cloacina.toml"
    ]
    assert {"path": "wheels/", "reason": "the wheelhouse", "secret": False} in listed["left_out"]


HOSTILE = {
    "up": {"../../evil.py": "x"},
    "absolute": {"/tmp/evil.py": "x"},
    "case": {"a.py": "1", "A.py": "2"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_wheel_leaves_nothing_behind(name, tmp_path, house, run):
    root = project(tmp_path, '["one"]')
    path = house / file_name("one")
    path.write_bytes(zipped(members("one", HOSTILE[name])))
    lock(root, path)
    before = {str(one) for one in tmp_path.rglob("*")}
    output = tmp_path / "x.cloacina"
    words = ("package", root, "--vendor", "--wheelhouse", house, "-o", output)
    status, out, err = run(*words)
    assert (status, out) == (3, "")
    assert "Y019" in err
    assert {str(one) for one in tmp_path.rglob("*")} == before


def test_a_lock_is_not_written_when_no_package_is(tmp_path, house, run):
    root = project(tmp_path, '["one"]')
    wheel(house, "one")
    output = tmp_path / "x.cloacina"
    output.write_text("taken")
    status, _, _ = run("package", root, "--vendor", "--wheelhouse", house, "-o", output)
    assert status == 8
    assert not (root / "pylock.cloacina.toml").exists()


def flat(root: Path, work: WorkFolder, **request) -> list[str]:
    asked = VendorRequest(wanted=True, **request)
    chosen = read_project(str(root))
    vendored = vendored_files(chosen, asked, work, DEFAULT_LIMITS)
    return [str(file.path) for file in planned_flat(vendored, chosen, asked)]


def test_a_format_without_platforms_takes_compiled_code_for_a_named_one_alone(native):
    with WorkFolder() as work, pytest.raises(Refused) as error:
        flat(native, work)
    assert found(error.value) == [(Code.NATIVE_VENDORED, None)]
    assert "two 1.0" in error.value.diagnostics[0].message
    with WorkFolder() as work:
        assert "vendor/two.so" in flat(native, work, platforms=(GLIBC,))


def test_pure_code_needs_no_platform(tmp_path, house):
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one"))
    with WorkFolder() as work:
        assert "vendor/one/__init__.py" in flat(root, work, wheelhouse=str(house))


def test_ctrl_c_ends_the_resolver_and_leaves_nothing(tmp_path):
    root = project(tmp_path, '["one"]')
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    text = (
        "import os, pathlib, time\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(os.getpid()))\ntime.sleep(60)\n"
    )
    program(tmp_path / "bin", "uv", text)
    process = subprocess.Popen(
        [sys.executable, "-m", "cloacina_ctl", "package", str(root), "--vendor"],
        cwd=tmp_path,
        env={**os.environ, "PATH": str(tmp_path / "bin"), "TMPDIR": str(scratch)},
        stderr=subprocess.PIPE,
    )
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert os.listdir(scratch) == []
    assert not (root / "pylock.cloacina.toml").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_one_module_alone_opens_zip_files():
    users = [
        path.name for path in (ROOT / "cloacina_ctl").rglob("*.py")
        if "import zipfile" in path.read_text("utf-8")
    ]  # fmt: skip
    assert users == ["zip_reader.py"]


def test_vendored_code_for_other_machines_alone_is_warned_of_when_it_is_missed(
    tmp_path, house, run
):
    config = f'vendor = true\nvendor_python = "3.11"\nwheelhouse = "{house}"\n'
    root = project(tmp_path, '["two"]', config=config)
    files = {"two.so": library("2.28", AARCH64), "two.py": ""}
    lock(
        root,
        wheel(house, "two", files, tag="cp311-cp311-manylinux_2_28_aarch64"),
        platforms=("manylinux_2_28_aarch64",),
    )
    package = tmp_path / "a.cloacina"
    assert run("package", root, "--no-sign", "-o", package)[0] == 0
    status, out, _ = run("run", package, "--allow-unsigned", "--json")
    (found,) = (
        one for one in json.loads(out.splitlines()[-1])["diagnostics"] if one["code"] == "T021"
    )
    assert (status, found["severity"]) == (0, "warning")
    assert "are for manylinux_2_28_aarch64, and this is" in found["message"]
    (root / "src" / "demo" / "tasks.py").write_text("import two\n" + TASK)
    run("package", root, "--no-sign", "--force", "-o", package)
    status, out, _ = run("run", package, "--allow-unsigned", "--json")
    codes = [one["code"] for one in json.loads(out.splitlines()[-1])["diagnostics"]]
    assert (status, codes) == (3, ["T003", "T021"])
