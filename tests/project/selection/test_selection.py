from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.project.model import LeftOut
from cloacina_ctl.project.reading import read_project
from cloacina_ctl.project.selection.select import select_files, select_source
from tests.support.projects import FIXTURES
from tests.support.trees import PYPROJECT, TASK, TREE, found, plant, tree

if TYPE_CHECKING:
    from pathlib import Path

    from cloacina_ctl.project.model import Selection


def select(root: Path) -> Selection:
    return select_files(read_project(str(root)))


def packed(root: Path) -> dict[str, str]:
    return {str(file.path): file.reason for file in select(root).files}


def left_out(root: Path) -> dict[str, str]:
    return {out.path: out.reason for out in select(root).left_out}


BOTH = {"workflow/demo/__init__.py": "package demo", "workflow/demo/tasks.py": "entry module"}


def test_packs_a_tree_as_it_is(tmp_path):
    tree(tmp_path, {"vendor/lib/__init__.py": "", "notes.txt": "n", "workflow/demo/d.csv": "1"})
    assert packed(tmp_path) == {
        **BOTH,
        "notes.txt": "in the project's folder",
        "vendor/lib/__init__.py": "vendored",
        "workflow/demo/d.csv": "package demo",
    }
    assert left_out(tmp_path) == {"package.toml": "the resolved one takes its place"}


def test_packs_the_packages_of_a_src_layout_under_workflow(tmp_path):
    files = {
        "pyproject.toml": PYPROJECT,
        "src/demo/__init__.py": "",
        "src/demo/tasks.py": TASK,
        "src/demo/sql/all.sql": "select 1",
        "src/helpers.py": "",
        "src/notes.txt": "",
        "tests/test_demo.py": "",
        "vendor/lib.py": "",
        "README.md": "",
    }
    assert packed(plant(tmp_path, files)) == {
        **BOTH,
        "vendor/lib.py": "vendored",
        "workflow/demo/sql/all.sql": "package demo",
        "workflow/helpers.py": "module helpers",
    }
    assert set(left_out(tmp_path)) == {"README.md", "pyproject.toml", "src/notes.txt", "tests/"}


def test_packs_the_packages_of_a_flat_layout_and_nothing_around_them(tmp_path):
    files = {
        "pyproject.toml": PYPROJECT,
        "demo/__init__.py": "",
        "demo/tasks.py": TASK,
        "other.py": "",
        "setup.py": "",
        "conftest.py": "",
        "docs/conf.py": "",
        "tests/test_demo.py": "",
        "data/x.csv": "",
    }
    assert packed(plant(tmp_path, files)) == {**BOTH, "workflow/other.py": "module other"}


def test_keeps_the_owners_x_bit_and_the_size(tmp_path):
    tree(tmp_path, {"workflow/demo/run.sh": "#!/bin/sh\n"})
    os.chmod(tmp_path / "workflow/demo/run.sh", 0o700)
    os.chmod(tmp_path / "workflow/demo/tasks.py", 0o611)
    files = {str(file.path): file for file in select(tmp_path).files}
    assert files["workflow/demo/run.sh"].executable
    assert files["workflow/demo/run.sh"].size == 10
    assert not files["workflow/demo/tasks.py"].executable


PROGRAMS = {
    "run.sh": b"#!/bin/sh\n",
    "tool": b"\x7fELF\2\1\1" + bytes(57),
    "tool.exe": b"MZ" + bytes(58) + b"\x40\0\0\0PE\0\0",
    "mac": b"\xcf\xfa\xed\xfe" + bytes(28),
    "universal": b"\xca\xfe\xba\xbe\0\0\0\2" + bytes(40),
}
DATA = {
    "a.csv": "1,2",
    "empty": "",
    "Some.class": b"\xca\xfe\xba\xbe\0\0\0\x41",
    "MZ.txt": "MZ" * 99,
}


@pytest.mark.parametrize("crate", [False, True])
def test_the_executable_bit_counts_where_a_file_could_be_run(tmp_path, crate):
    files = {f"workflow/demo/{name}": content for name, content in {**PROGRAMS, **DATA}.items()}
    tree(tmp_path, files)
    if crate:
        plant(tmp_path, {"Cargo.toml": '[package]\nname = "demo"\nversion = "1.0.0"\n', **files})
        (tmp_path / "package.toml").unlink()
        plant(tmp_path, {"src/lib.rs": ""})
    selected = {}
    for bits in (0o777, 0o644):
        for path in tmp_path.rglob("*"):
            if path.is_file():
                path.chmod(0o755 if path.name in PROGRAMS else bits)
        selected[bits] = select_source(read_project(str(tmp_path))) if crate else select(tmp_path)
    assert selected[0o777].files == selected[0o644].files
    marked = {os.path.basename(file.path) for file in selected[0o644].files if file.executable}
    assert marked == set(PROGRAMS)
    assert [selected[bits].all_executable for bits in (0o777, 0o644)] == [True, False]


def test_respects_nested_ignore_files_the_nearest_first(tmp_path):
    tree(
        tmp_path,
        {
            ".gitignore": "*.csv\n/workflow/demo/big/\n",
            ".cloacinaignore": "*.md\n",
            "workflow/demo/.gitignore": "!keep.csv\n",
            "workflow/demo/keep.csv": "",
            "workflow/demo/drop.csv": "",
            "workflow/demo/notes.md": "",
            "workflow/demo/big/a.py": "",
        },
    )
    assert packed(tmp_path) == {**BOTH, "workflow/demo/keep.csv": "package demo"}
    ignored = {path for path, why in left_out(tmp_path).items() if "ignored" in why}
    assert ignored == {"workflow/demo/drop.csv", "workflow/demo/notes.md", "workflow/demo/big/"}


def test_the_tools_own_ignore_file_may_bring_back_what_git_ignores(tmp_path):
    tree(
        tmp_path,
        {".gitignore": "*.bin\n", ".cloacinaignore": "!model.bin\n", "workflow/demo/model.bin": ""},
    )
    assert "workflow/demo/model.bin" in packed(tmp_path)


def test_include_brings_back_what_an_ignore_file_drops(tmp_path):
    tree(
        tmp_path,
        {
            ".gitignore": "models/\n",
            "cloacina.toml": 'include = ["workflow/demo/models/*.bin"]\n',
            "workflow/demo/models/a.bin": "",
            "workflow/demo/models/a.log": "",
        },
    )
    assert packed(tmp_path) == {
        **BOTH,
        "workflow/demo/models/a.bin": "included by the configuration",
    }
    assert left_out(tmp_path)["workflow/demo/models/"] == "ignored by an ignore file"


def test_exclude_wins_over_include(tmp_path):
    tree(
        tmp_path,
        {
            "cloacina.toml": 'include = ["a.txt", "b/**"]\nexclude = ["a.txt", "b/"]\n',
            "a.txt": "",
            "b/c.txt": "",
        },
    )
    assert packed(tmp_path) == BOTH
    assert (
        left_out(tmp_path)["b/"] == left_out(tmp_path)["a.txt"] == "excluded by the configuration"
    )


def test_a_wildcard_never_brings_a_secret_in_and_its_exact_name_does(tmp_path):
    secrets = {".env": "S=1", "workflow/demo/server.key": "k", ".aws/credentials": "c"}
    tree(tmp_path, {**secrets, "cloacina.toml": 'include = ["**/*", ".env*", "*.key", ".aws/"]\n'})
    assert packed(tmp_path) == dict.fromkeys(BOTH, "included by the configuration")
    plant(
        tmp_path, {"cloacina.toml": 'include = ["/workflow/demo/server.key", ".aws/credentials"]\n'}
    )
    assert set(packed(tmp_path)) == {*BOTH, "workflow/demo/server.key", ".aws/credentials"}


def test_included_files_outside_the_packages_keep_their_place_beside_them(tmp_path):
    config = '[tool.cloacina]\ninclude = ["data/*.csv"]\n'
    files = {"pyproject.toml": PYPROJECT + config, "data/a.csv": "", "data/b.txt": ""}
    plant(tmp_path, {**files, "src/demo/__init__.py": "", "src/demo/tasks.py": TASK})
    assert set(packed(tmp_path)) == {*BOTH, "data/a.csv"}


def test_says_why_each_thing_is_left_out_a_folder_once(tmp_path):
    tree(
        tmp_path,
        {
            ".git/config": "",
            ".venv/pyvenv.cfg": "",
            "env/pyvenv.cfg": "",
            "cache/CACHEDIR.TAG": "",
            "workflow/demo/__pycache__/tasks.cpython-311.pyc": "",
            "old.cloacina": "",
            "old.cloacina.sig": "",
            "x.swp": "",
            "empty/": "",
        },
    )
    assert packed(tmp_path) == BOTH
    assert left_out(tmp_path) == {
        ".git/": "belongs to version control",
        ".venv/": "a cache or what a tool made",
        "env/": "a virtual environment",
        "cache/": "a cache or what a tool made",
        "workflow/demo/__pycache__/": "a cache or what a tool made",
        "old.cloacina": "a package, not part of one",
        "old.cloacina.sig": "a package, not part of one",
        "x.swp": "belongs to an editor or the desktop",
        "empty/": "an empty folder",
        "package.toml": "the resolved one takes its place",
    }


def test_refuses_links_and_special_files_all_at_once(tmp_path):
    tree(tmp_path, {})
    inside = tmp_path / "workflow/demo"
    os.symlink("/etc/hostname", inside / "host")
    os.symlink("..", inside / "loop")
    os.symlink("nowhere", inside / "dangling")
    os.mkfifo(inside / "pipe")
    with socket.socket(socket.AF_UNIX) as one:
        here = os.open(inside, os.O_RDONLY)
        try:
            one.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
    with pytest.raises(Refused) as caught:
        select(tmp_path)
    assert found(caught.value) == [
        (Code.LINK, "workflow/demo/dangling"),
        (Code.LINK, "workflow/demo/host"),
        (Code.LINK, "workflow/demo/loop"),
        (Code.SPECIAL_FILE, "workflow/demo/pipe"),
        (Code.SPECIAL_FILE, "workflow/demo/socket"),
    ]
    assert "/etc/hostname" in caught.value.diagnostics[1].message


def test_links_that_are_not_packed_do_no_harm(tmp_path):
    tree(tmp_path, {".gitignore": "ignored\n", "venv-target/x": ""})
    os.symlink("/etc", tmp_path / "ignored")
    os.symlink("venv-target", tmp_path / ".venv")
    assert {".venv", "ignored"} < set(left_out(tmp_path))


def test_refuses_a_link_in_the_place_of_a_package(tmp_path):
    plant(tmp_path, {"pyproject.toml": PYPROJECT, "elsewhere/tasks.py": TASK, "src/": ""})
    os.symlink("../elsewhere", tmp_path / "src/demo")
    with pytest.raises(Refused) as caught:
        select(tmp_path)
    assert found(caught.value) == [(Code.LINK, "src/demo")]


@pytest.mark.parametrize(
    "name", ["aux", "line\nbreak", "trailing.", " leading", "a:b", "nfd-e\u0301", "back\\slash"]
)
def test_refuses_names_that_no_package_may_hold(tmp_path, name):
    tree(tmp_path, {f"workflow/demo/{name}": ""})
    with pytest.raises(Refused) as caught:
        select(tmp_path)
    assert found(caught.value) == [(Code.PROJECT_PATH, f"workflow/demo/{name}")]
    assert ".cloacinaignore" in (caught.value.diagnostics[0].hint or "")


def test_refuses_a_name_that_is_not_utf8(tmp_path):
    tree(tmp_path, {})
    with open(os.fsencode(tmp_path) + b"/workflow/demo/\xff.txt", "wb"):
        pass
    with pytest.raises(Refused) as caught:
        select(tmp_path)
    assert "UTF-8" in caught.value.diagnostics[0].message


def test_refuses_names_that_differ_by_case_alone(tmp_path):
    tree(tmp_path, {"workflow/demo/Data.csv": "", "workflow/demo/data.csv": ""})
    with pytest.raises(Refused) as caught:
        select(tmp_path)
    assert found(caught.value) == [(Code.PROJECT_PATH, "workflow/demo/data.csv")]
    assert "workflow/demo/Data.csv" in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json", "Files.json", "ﬁles.json", "index.json/x", "source/a.py", "ſource/a.py",
        "platform/linux/a.so",
    ],
)  # fmt: skip
def test_refuses_names_that_the_format_keeps_for_itself(tmp_path, name):
    tree(tmp_path, {name: ""})
    with pytest.raises(Refused) as caught:
        select(tmp_path)
    assert found(caught.value) == [(Code.RESERVED_NAME, name)]


def test_refuses_folders_too_deep_without_going_on(tmp_path):
    deep = "/".join(["d"] * 40)
    tree(tmp_path, {f"workflow/demo/{deep}/x": ""})
    with pytest.raises(Refused) as caught:
        select(tmp_path)
    assert [code for code, _ in found(caught.value)] == [Code.PROJECT_PATH]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_refuses_what_cannot_be_read(tmp_path):
    tree(tmp_path, {"workflow/demo/closed/x": "", "workflow/demo/secret": ""})
    os.chmod(tmp_path / "workflow/demo/closed", 0)
    os.chmod(tmp_path / "workflow/demo/secret", 0)
    try:
        with pytest.raises(Refused) as caught:
            select(tmp_path)
    finally:
        os.chmod(tmp_path / "workflow/demo/closed", 0o700)
    assert [code for code, _ in found(caught.value)] == [Code.UNREADABLE] * 2


def test_refuses_a_project_of_which_nothing_is_left(tmp_path):
    tree(tmp_path, {".gitignore": "*\n"})
    with pytest.raises(Refused) as caught:
        select(tmp_path)
    assert [code for code, _ in found(caught.value)] == [Code.NOTHING_TO_PACK]


def test_refuses_an_ignore_file_without_end(tmp_path):
    tree(tmp_path, {".gitignore": b"#" * (1 << 21)})
    with pytest.raises(Refused) as caught:
        select(tmp_path)
    assert found(caught.value) == [(Code.LIMIT, ".gitignore")]


def test_an_ignore_file_that_is_a_folder_or_a_link_ignores_nothing(tmp_path):
    tree(tmp_path, {"workflow/demo/.gitignore/x": "", "patterns": "*\n"})
    os.symlink("patterns", tmp_path / ".cloacinaignore")
    assert set(BOTH) < set(packed(tmp_path))


def test_a_line_that_is_no_pattern_and_windows_line_ends_do_no_harm(tmp_path):
    tree(
        tmp_path,
        {".gitignore": b"\xef\xbb\xbf*.tmp\r\n!\r\n/\r\n# c\r\n", "workflow/demo/a.tmp": ""},
    )
    assert packed(tmp_path) == BOTH


def test_the_source_of_a_crate_goes_under_source(tmp_path):
    from cloacina_ctl.project.selection.walk import TreeRules, select_tree

    plant(tmp_path, {"Cargo.toml": "", "src/lib.rs": "", "target/debug/x": "", ".env": ""})
    project = read_project(str(tree(tmp_path / "p", {})))
    selection = select_source(project._replace(root=str(tmp_path), python=None))
    assert {"source/Cargo.toml", "source/src/lib.rs"} < {str(file.path) for file in selection.files}
    assert LeftOut("target/", "what cargo built") in selection.left_out
    assert select_files(project._replace(root=str(tmp_path), python=None)) == selection
    assert select_tree(str(tmp_path / "p"), TreeRules(), lambda _path, _packed: "x").files


def test_a_folder_that_goes_away_meanwhile_is_a_change(tmp_path):
    tree(tmp_path, {})
    project = read_project(str(tmp_path))
    with pytest.raises(FileProblem) as caught:
        select_files(project._replace(root=str(tmp_path / "gone")))
    assert [code for code, _ in found(caught.value)] == [Code.CHANGED]


def test_selects_ten_thousand_files_in_a_second(tmp_path):
    tree(tmp_path, {".gitignore": "*.log\n"})
    for folder in range(10):
        os.makedirs(tmp_path / f"workflow/demo/d{folder}")
        for number in range(1000):
            os.close(os.open(tmp_path / f"workflow/demo/d{folder}/f{number}.txt", os.O_CREAT))
    started = time.process_time()
    assert len(select(tmp_path).files) == 10_002
    assert time.process_time() - started < 2


def test_the_fixture_is_packed_as_documented():
    root = str(FIXTURES / "python_report")
    selection = select_files(read_project(root))
    assert [str(file.path) for file in selection.files] == [
        f"workflow/daily_report/{name}"
        for name in (
            "__init__.py",
            "orders.py",
            "rates.json",
            "shipping.py",
            "summary.py",
            "tasks.py",
            "templates/report.txt",
        )
    ]


def test_knows_a_tree_by_its_language(tmp_path):
    plant(tmp_path, {"package.toml": TREE, "workflow/demo/tasks.py": TASK})
    assert set(packed(tmp_path)) == {"workflow/demo/tasks.py"}
