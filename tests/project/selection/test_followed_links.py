"""`links = "contents"`: a link is packed as what it leads to, in the project or its repository."""

from __future__ import annotations

import os

import pytest

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.operations.inspect import inspect
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.unpack import unpack
from cloacina_ctl.operations.validate import validate
from cloacina_ctl.project.reading import read_project
from cloacina_ctl.project.selection.links import Away, boundary_of, follow, open_followed
from cloacina_ctl.project.selection.select import select_files, select_source
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support.trees import PYPROJECT, TASK, found, plant

CONFIG = '[tool.cloacina]\nentry_module = "demo.tasks"\nlinks = "contents"\n'


def project(root, files: dict[str, str] | None = None, links: dict[str, str] | None = None):
    own = {
        "pyproject.toml": PYPROJECT + CONFIG,
        "src/demo/__init__.py": "",
        "src/demo/tasks.py": TASK,
    }
    plant(root, {**own, **(files or {})})
    for path, target in (links or {}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, root / path)
    return root


def packed(root) -> dict[str, str]:
    """Return what each packed file, by its path beneath `workflow/`, holds."""
    selected = {}
    for file in select_files(read_project(str(root))).files:
        with open(file.source) as opened:
            selected[str(file.path).removeprefix("workflow/demo/")] = opened.read()
    return {path: text for path, text in selected.items() if path != "tasks.py" and text}


def left_out(root) -> dict[str, str]:
    return {one.path: one.reason for one in select_files(read_project(str(root))).left_out}


def refused(root) -> list[tuple[Code, str | None]]:
    with pytest.raises(Refused) as raised:
        select_files(read_project(str(root)))
    return found(raised.value)


def test_a_link_to_a_file_is_packed_as_the_file(tmp_path):
    links = {
        "src/demo/latest.json": "real.json",
        "src/demo/deep/up.json": "../latest.json",
        "src/demo/notes.md": "../../docs/notes.md",
    }
    root = project(tmp_path, {"src/demo/real.json": "1", "docs/notes.md": "n"}, links)
    assert packed(root) == {"real.json": "1", "latest.json": "1", "deep/up.json": "1",
                            "notes.md": "n"}  # fmt: skip
    made = package(PackageRequest(str(root), output=str(tmp_path / "x.cloacina")))
    assert made.diagnostics == ()
    there = unpack(made.path, str(tmp_path / "there"), VerificationPolicy(allow_unsigned=True))
    copied = tmp_path / "there" / "workflow" / "demo" / "latest.json"
    assert "workflow/demo/latest.json" in there.files
    assert (copied.read_text(), copied.is_symlink()) == ("1", False)


def test_a_link_leads_as_far_as_the_work_tree_and_no_further(tmp_path):
    links = {"src/demo/LICENSE": "../../../LICENSE", "src/demo/absolute": str(tmp_path / "LICENSE")}
    root = project(tmp_path / "member", {}, links)
    plant(tmp_path, {"LICENSE": "free"})
    assert refused(root) == [
        (Code.LINK_AWAY, "src/demo/LICENSE"),
        (Code.LINK_AWAY, "src/demo/absolute"),
    ]
    plant(tmp_path, {".git/HEAD": "ref: x", ".git/objects/": "", ".git/refs/": ""})
    assert packed(root) == {"LICENSE": "free", "absolute": "free"}


def test_a_link_to_a_folder_is_packed_as_the_folder(tmp_path):
    files = {"shared/data/a.csv": "1", "shared/data/inner/b.csv": "2", "shared/data/.env": "S=1"}
    root = project(tmp_path, files, {"src/demo/data": "../../shared/data"})
    assert packed(root) == {"data/a.csv": "1", "data/inner/b.csv": "2"}
    assert left_out(root)["src/demo/data/.env"] == "it may hold secrets of an environment"


def test_a_linked_module_declares_tasks_where_the_link_is(tmp_path):
    third = TASK.replace("first", "third")
    files = {"shared/common.py": TASK.replace("first", "second"), "lib/more/__init__.py": third}
    links = {"src/demo/common.py": "../../shared/common.py", "src/more": "../lib/more"}
    root = project(tmp_path, files, links)
    plant(root, {"src/demo/tasks.py": f"from demo import common\nimport more\n{TASK}"})
    made = package(PackageRequest(str(root), output=str(tmp_path / "x.cloacina")))
    assert made.diagnostics == ()
    assert validate(made.path).report.ok
    (workflow,) = inspect(made.path).manifest.workflows
    assert {task.source for task in workflow.tasks} == {
        "workflow/demo/common.py:5",
        "workflow/demo/tasks.py:7",
        "workflow/more/__init__.py:5",
    }


@pytest.mark.parametrize(
    "target",
    ["../../../outside.txt", "/etc/hostname", "nothing", "circle", "tasks.py/x", "../../.."],
)
def test_a_link_that_leads_away_is_refused(tmp_path, target):
    plant(tmp_path, {"outside.txt": "o"})
    root = project(tmp_path / "project", {}, {"src/demo/a": target, "src/demo/circle": "circle2",
                                              "src/demo/circle2": "circle"})  # fmt: skip
    assert (Code.LINK_AWAY, "src/demo/a") in refused(root)
    plant(root, {".cloacinaignore": "a\ncircle*\n"})
    assert packed(root) == {}


@pytest.mark.parametrize("target", [".", "..", "../..", "deep", "deep/back"])
def test_a_link_to_a_folder_that_it_lies_in_is_refused(tmp_path, target):
    links = {"src/demo/around": target, "src/demo/deep/back": "../deep"}
    root = project(tmp_path, {"src/demo/deep/a.txt": "a"}, links)
    assert Code.LINK_AWAY in {code for code, _ in refused(root)}


@pytest.mark.slow
def test_links_that_lead_to_each_other_s_folders_end(tmp_path):
    links = {f"shared/{n}/{side}": f"../{n + 1}" for n in range(20) for side in "ab"}
    root = project(tmp_path, {"shared/20/x.txt": "x"}, {**links, "src/demo/all": "../../shared/0"})
    assert Code.LINK_AWAY in {code for code, _ in refused(root)}


@pytest.mark.parametrize(
    ("files", "target", "reason"),
    [
        ({".env": "S=1"}, "../../.env", "it may hold secrets of an environment"),
        ({"docs/id_rsa": "k"}, "../../docs/id_rsa", "it may hold a private key"),
        ({".ssh/config": "k"}, "../../.ssh/config", "it may hold a private key"),
        ({".gitignore": "/out/\n", "out/a": "1"}, "../../out/a", "ignored by an ignore file"),
        ({"docs/.gitignore": "a\n", "docs/a": "1"}, "../../docs/a", "ignored by an ignore file"),
        ({".venv/pyvenv.cfg": "", ".venv/a": "1"}, "../../.venv/a", "a cache or what a tool made"),
        ({"env/pyvenv.cfg": "", "env/a": "1"}, "../../env/a", "a virtual environment"),
        ({"env/pyvenv.cfg": "", "env/b/a": "1"}, "../../env/b", "a virtual environment"),
        ({".git/config": "c", ".git/HEAD": ""}, "../../.git/config", "belongs to version control"),
    ],
)
def test_what_a_link_leads_to_keeps_the_rules_of_its_own_place(tmp_path, files, target, reason):
    root = project(tmp_path, files, {"src/demo/harmless.txt": target})
    shown = {path.rstrip("/"): why for path, why in left_out(root).items()}
    assert shown["src/demo/harmless.txt"].endswith(f": {reason}")
    assert packed(root) == {}


def test_a_denied_file_is_packed_through_a_link_only_where_it_is_included_itself(tmp_path):
    root = project(tmp_path, {"docs/id_rsa": "k"}, {"src/demo/key": "../../docs/id_rsa"})
    config = PYPROJECT + CONFIG
    plant(root, {"pyproject.toml": config + 'include = ["src/demo/key"]\n'})
    assert packed(root) == {}
    plant(root, {"pyproject.toml": config + 'include = ["docs/id_rsa"]\n'})
    assert packed(root)["key"] == "k"


def test_a_link_to_what_is_no_file_is_refused(tmp_path):
    root = project(tmp_path, {}, {"src/demo/pipe": "../../fifo"})
    os.mkfifo(root / "fifo")
    assert refused(root) == [(Code.SPECIAL_FILE, "src/demo/pipe")]


def test_a_crate_s_source_has_what_its_links_lead_to(tmp_path):
    manifest = '[package]\nname = "a"\nversion = "1.0.0"\n[package.metadata.cloacina]\n'
    files = {"Cargo.toml": manifest + 'links = "contents"\n', "src/lib.rs": "", "LICENSE.txt": "f"}
    plant(tmp_path, files)
    os.symlink("LICENSE.txt", tmp_path / "LICENSE")
    paths = {str(file.path) for file in select_source(read_project(str(tmp_path))).files}
    assert "source/LICENSE" in paths


def test_without_the_key_a_link_is_refused_and_the_key_is_named(tmp_path):
    root = project(tmp_path, {"src/demo/a": "1"}, {"src/demo/b": "a"})
    plant(root, {"pyproject.toml": PYPROJECT})
    with pytest.raises(Refused) as raised:
        select_files(read_project(str(root)))
    assert found(raised.value) == [(Code.LINK, "src/demo/b")]
    assert 'set `links = "contents"`' in raised.value.diagnostics[0].hint
    (root / "src/demo").rename(root / "real")  # what is read before anything is packed
    os.symlink("../real", root / "src/demo")
    with pytest.raises(Refused) as raised:
        read_project(str(root))
    assert found(raised.value) == [(Code.LINK, "src/demo")]
    assert 'set `links = "contents"`' in raised.value.diagnostics[0].hint
    os.unlink(root / "src/demo")
    (root / "real").rename(root / "src/demo")
    plant(root, {"pyproject.toml": PYPROJECT + '[tool.cloacina]\nlinks = "follow"\n'})
    with pytest.raises(Refused) as raised:
        read_project(str(root))
    assert found(raised.value)[0][0] is Code.CONFIG_VALUE


def test_a_link_is_followed_through_open_folders(tmp_path):
    """What takes a folder's place between two steps is not followed: each step is one name."""
    project(tmp_path, {"a/b/c.txt": "c"}, {"l": "a/../a/b"})
    boundary = boundary_of(str(tmp_path))
    assert follow(boundary, "l/c.txt").path == "a/b/c.txt"
    assert follow(boundary, "l").is_folder
    with open(open_followed(boundary, "l/c.txt")) as file:
        assert file.read() == "c"
    with pytest.raises(Away):
        follow(boundary, "l/../../../../etc")


def test_a_link_at_the_top_of_a_flat_project_is_a_package_of_it(tmp_path):
    pyproject = PYPROJECT + '[tool.cloacina]\nlinks = "contents"\n'
    files = {"pyproject.toml": pyproject, "demo.py": f"import shared\n{TASK}"}
    plant(tmp_path / "project", {**files, "docs/shared/__init__.py": "X = 1\n"})
    os.symlink("docs/shared", tmp_path / "project" / "shared")
    selected = select_files(read_project(str(tmp_path / "project"))).files
    assert {str(file.path) for file in selected} == {
        "workflow/demo.py",
        "workflow/shared/__init__.py",
    }
