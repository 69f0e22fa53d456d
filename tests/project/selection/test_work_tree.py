"""What the git repository around a project, and those inside of it, say of its files."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.checks.project import check_project
from cloacina_ctl.checks.subjects import ProjectSubject
from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.project.model import GitProblem, Selection
from cloacina_ctl.project.reading import read_project
from cloacina_ctl.project.selection.select import select_files, select_source
from cloacina_ctl.project.selection.surroundings import tracked_files
from tests.support.machine import need
from tests.support.trees import PYPROJECT, TASK, plant

if TYPE_CHECKING:
    from pathlib import Path

MODULES = {"demo/__init__.py", "demo/tasks.py"}
CRATE = """[package]
name = "etl"
version = "1.0.0"
edition = "2021"

[lib]
crate-type = ["cdylib"]

[features]
packaged = []
"""


def git(folder: Path, *words: str) -> str:
    """Run git as nobody in particular."""
    environment = {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.org",
        "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.org",
    }  # fmt: skip
    command = [need("git"), "-c", "protocol.file.allow=always", *words]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
    return done.stdout.decode()


@pytest.fixture
def mono(tmp_path):
    """A repository with a project in the folder `svc`."""
    plant(
        tmp_path / "mono",
        {
            "svc/pyproject.toml": PYPROJECT,
            "svc/src/demo/__init__.py": "",
            "svc/src/demo/tasks.py": TASK,
        },
    )
    git(tmp_path / "mono", "init", "-q")
    return tmp_path / "mono"


def select(root: Path) -> Selection:
    return select_files(read_project(str(root)))


def packed(root: Path) -> set[str]:
    return {str(file.path).removeprefix("workflow/") for file in select(root).files}


def findings(root: Path) -> dict[Code, tuple[str, str | None, str | None]]:
    project = read_project(str(root))
    found = check_project(ProjectSubject(project, select(root), ()))
    return {one.code: (one.message, one.where, one.hint) for one in found}


SECRETS = {"svc/src/demo/hidden/db.txt": "s", "svc/src/demo/dev.local.json": "s"}


def test_a_rule_at_the_top_of_the_repository_keeps_files_of_a_project_below_out(mono):
    plant(mono, {**SECRETS, ".gitignore": "hidden/\n*.local.json\n"})
    assert packed(mono / "svc") == MODULES


def test_the_rules_of_info_exclude_count_too(mono):
    plant(mono, {**SECRETS, ".git/info/exclude": "hidden/\n/svc/src/demo/*.json\n"})
    assert packed(mono / "svc") == MODULES


def test_a_rule_that_is_nearer_wins(mono):
    plant(mono, {**SECRETS, ".gitignore": "hidden/\n!*.json\n", ".git/info/exclude": "*.json\n"})
    assert packed(mono / "svc") == MODULES | {"demo/dev.local.json"}
    plant(mono, {"svc/.gitignore": "*.json\n!hidden/\n"})
    assert packed(mono / "svc") == MODULES | {"demo/hidden/db.txt"}


def test_a_cloacinaignore_above_the_project_counts_and_wins_over_the_gitignore_beside_it(mono):
    plant(mono, {**SECRETS, ".gitignore": "hidden/\n", ".cloacinaignore": "!hidden/\n*.json\n"})
    assert packed(mono / "svc") == MODULES | {"demo/hidden/db.txt"}


def test_include_brings_back_what_a_rule_above_the_project_leaves_out(mono):
    text = PYPROJECT + '[tool.cloacina]\ninclude = ["src/demo/dev.local.json"]\n'
    plant(mono, {**SECRETS, ".gitignore": "hidden/\n*.json\n", "svc/pyproject.toml": text})
    assert packed(mono / "svc") == MODULES | {"demo/dev.local.json"}


def test_no_rule_counts_from_above_the_repository_or_where_there_is_none(mono, tmp_path):
    plant(mono, SECRETS)
    plant(tmp_path, {".gitignore": "*\n", ".cloacinaignore": "*\n"})
    everything = MODULES | {"demo/hidden/db.txt", "demo/dev.local.json"}
    assert packed(mono / "svc") == everything
    plant(mono, {".gitignore": "*\n!svc\n"})
    (mono / ".git").rename(mono / "no")
    assert packed(mono / "svc") == everything


def test_a_folder_called_git_that_is_no_repository_does_not_count(mono):
    plant(mono, {**SECRETS, ".gitignore": "hidden/\n*.json\n", "svc/.git/x": ""})
    assert packed(mono / "svc") == MODULES


def test_a_project_that_the_repository_ignores_is_no_part_of_it(mono):
    """As is an unpacked archive, or what a build made."""
    plant(mono, {**SECRETS, ".gitignore": "/svc/\n*.json\n"})
    assert packed(mono / "svc") == MODULES | {"demo/hidden/db.txt", "demo/dev.local.json"}


def test_a_project_that_is_reached_by_a_link_is_the_same(mono, tmp_path):
    plant(mono, {**SECRETS, ".gitignore": "/svc/src/demo/hidden/\n*.json\n"})
    (tmp_path / "link").symlink_to(mono / "svc")
    assert packed(tmp_path / "link") == MODULES


def test_the_rules_count_for_the_source_of_a_crate(mono):
    plant(
        mono,
        {
            ".gitignore": "*.local.json\n",
            "etl/Cargo.toml": CRATE,
            "etl/src/lib.rs": "",
            "etl/dev.local.json": "s",
        },
    )
    files = select_source(read_project(str(mono / "etl"))).files
    assert {str(file.path) for file in files} == {"source/Cargo.toml", "source/src/lib.rs"}


def test_a_linked_work_tree_has_the_rules_of_its_repository(mono, tmp_path):
    git(mono, "add", ".")
    git(mono, "commit", "-qm", "x")
    git(mono, "worktree", "add", "-q", str(tmp_path / "other"))
    plant(mono, {".git/info/exclude": "*.json\n"})
    plant(tmp_path / "other", {**SECRETS, ".gitignore": "hidden/\n"})
    assert packed(tmp_path / "other/svc") == MODULES


@pytest.fixture
def with_submodule(mono, tmp_path):
    """The same, with a submodule in the project."""
    library = plant(tmp_path / "library", {"build/data.txt": "d", "notes.tmp": "n"})
    for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "x")):
        git(library, *words)
    git(mono, "submodule", "--quiet", "add", str(library), "svc/src/demo/rules")
    return mono


def test_a_submodule_goes_by_its_own_rules_and_by_ours_alone(with_submodule):
    plant(with_submodule, {".gitignore": "build/\n"})
    packed_rules = {"demo/rules/build/data.txt", "demo/rules/notes.tmp"}
    assert packed(with_submodule / "svc") == MODULES | packed_rules
    plant(with_submodule, {".git/modules/svc/src/demo/rules/info/exclude": "*.tmp\n"})
    assert packed(with_submodule / "svc") == MODULES | {"demo/rules/build/data.txt"}
    plant(with_submodule, {".cloacinaignore": "build/\n"})
    assert packed(with_submodule / "svc") == MODULES


def test_a_submodule_is_one_too_where_its_repository_is_gone(with_submodule):
    plant(with_submodule, {".gitignore": "build/\n"})
    before = packed(with_submodule / "svc")
    (with_submodule / ".git/modules").rename(with_submodule / ".git/gone")
    assert packed(with_submodule / "svc") == before


def test_a_submodule_that_is_not_checked_out_is_said(with_submodule, tmp_path):
    git(with_submodule, "add", ".")
    git(with_submodule, "commit", "-qm", "x")
    git(tmp_path, "clone", "-q", str(with_submodule), "clone")
    message, where, hint = findings(tmp_path / "clone/svc")[Code.NO_SUBMODULE]
    assert "not checked out" in message
    assert where == "src/demo/rules"
    assert "git submodule update --init --recursive -- src/demo/rules" in hint
    assert Code.EMPTY_FOLDER not in findings(tmp_path / "clone/svc")
    assert Code.NO_SUBMODULE not in findings(with_submodule / "svc")


def test_a_submodule_that_is_not_checked_out_is_said_of_an_archive_too(mono):
    text = '[submodule "a"]\n\tpath = "src/demo/a \\"b\\"" ; there\n[submodule "t"]\npath=src/top\n'
    plant(mono / "svc", {".gitmodules": text, 'src/demo/a "b"/': "", "src/top/": ""})
    plant(mono / "svc", {"src/demo/empty/": "", "docs/": ""})
    (mono / ".git").rename(mono / "no")
    out = select(mono / "svc").left_out
    assert {one.path: one.reason for one in out if "submodule" in one.reason} == {
        'src/demo/a "b"/': "a submodule that is not checked out",
        "src/top/": "a submodule that is not checked out",
    }


# What git tracks.


def test_a_tracked_file_that_a_rule_leaves_out_is_said_with_the_way_to_include_it(mono):
    plant(mono, {**SECRETS, ".gitignore": "hidden/\n*.json\n", "svc/src/demo/x.json": ""})
    git(mono, "add", "-f", "svc/src/demo/hidden/db.txt", "svc/src/demo/x.json")
    message, _, hint = findings(mono / "svc")[Code.TRACKED_IGNORED]
    assert message.startswith("2 tracked files are ignored by a rule and not packed: ")
    assert "src/demo/hidden/db.txt, src/demo/x.json" in message
    assert 'include = ["src/demo/hidden/db.txt", "src/demo/x.json"]' in hint
    include = '[tool.cloacina]\ninclude = ["src/demo/hidden/db.txt", "src/demo/x.json"]\n'
    plant(mono, {"svc/pyproject.toml": PYPROJECT + include})
    assert Code.TRACKED_IGNORED not in findings(mono / "svc")


def test_only_a_tracked_file_that_would_be_packed_without_the_rule_is_said(mono):
    config = '[tool.cloacina]\nexclude = ["out/"]\n'
    stays_out = {
        "svc/build/x.txt": "",  # no part of a package
        "svc/src/demo/gen/.env": "",  # never packed
        "svc/src/demo/gen/out/x": "",  # excluded
        "svc/src/demo/gen/gone": "",
    }
    plant(mono, {**stays_out, "svc/pyproject.toml": PYPROJECT + config})
    plant(mono, {".gitignore": "build/\ngen/\n"})
    git(mono, "add", "-f", ".")
    (mono / "svc/src/demo/gen/gone").unlink()
    assert select(mono / "svc").tracked == ()


def test_a_tracked_file_in_a_submodule_is_said(with_submodule):
    submodule = with_submodule / "svc/src/demo/rules"
    plant(submodule, {".gitignore": "*.tmp\n"})
    assert select(with_submodule / "svc").tracked == ("src/demo/rules/notes.tmp",)


NAMES = ["a", "a b", "dir/é", "dir/deep/" + "n" * 200, "x" * 250, *(f"many/{n}" for n in range(99))]


@pytest.mark.parametrize("version", [2, 3, 4])
@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_reads_every_form_of_the_index(tmp_path, form, version):
    plant(tmp_path, dict.fromkeys([*NAMES, "new"], ""))
    git(tmp_path, "init", "-q", f"--object-format={form}")
    git(tmp_path, "add", *NAMES)
    git(tmp_path, "add", "-N", "new")  # which needs the longer entries of version 3
    git(tmp_path, "update-index", "--index-version", str(version))
    names = git(tmp_path, "ls-files", "-z").rstrip("\0").split("\0")
    index = str(tmp_path / ".git/index")
    assert tracked_files(index, "") == set(names)
    assert tracked_files(index, "many/") == {f"{number}" for number in range(99)}


def test_links_and_submodules_are_no_tracked_files(with_submodule):
    (with_submodule / "link").symlink_to("svc")
    git(with_submodule, "add", ".")
    names = tracked_files(str(with_submodule / ".git/index"), "")
    assert "svc/src/demo/tasks.py" in names
    assert not names & {"link", "svc/src/demo/rules"}


def test_an_index_that_is_elsewhere_or_damaged_says_nothing(mono, tmp_path):
    git(mono, "add", ".")
    index = mono / ".git/index"
    data = index.read_bytes()
    copy = tmp_path / "index"
    for end in range(0, len(data), 7):
        copy.write_bytes(data[:end])
        assert tracked_files(str(copy), "") is None
    for at in range(len(data)):
        copy.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        tracked_files(str(copy), "")  # raises nothing
    git(mono, "update-index", "--split-index")
    assert tracked_files(str(index), "") is None
    assert tracked_files(str(mono), "") is None
    assert tracked_files(str(tmp_path / "none"), "") == frozenset()


# What cannot be read.


def broken_link(mono: Path) -> str:
    (mono / ".git").write_text("gitdir: ../gone/.git/modules/mono\n")
    return "it names a folder that is no repository: ../gone/.git/modules/mono"


def empty_file(mono: Path) -> str:
    (mono / ".git").write_bytes(b"")
    return "a file that names no folder of git"


def huge_file(mono: Path) -> str:
    (mono / ".git").write_bytes(b"gitdir: " + b"x" * (1 << 20))
    return "a file that names no folder of git"


def dangling_link(mono: Path) -> str:
    (mono / ".git").symlink_to("../.repo/projects/mono.git")
    return "a link to what is not there"


def without_head(mono: Path) -> str:
    (mono / "no").rename(mono / ".git")
    (mono / ".git/HEAD").unlink()
    return "it is damaged: HEAD or refs is missing"


@pytest.mark.parametrize(
    "breaks", [broken_link, empty_file, huge_file, dangling_link, without_head]
)
def test_a_git_that_cannot_be_followed_is_the_top_all_the_same_and_said(mono, breaks):
    plant(mono, {**SECRETS, ".gitignore": "hidden/\n*.json\n"})
    (mono / ".git").rename(mono / "no")
    why = breaks(mono)
    assert packed(mono / "svc") == MODULES
    assert select(mono / "svc").git_problems == (GitProblem("../.git", why),)
    message, where, _ = findings(mono / "svc")[Code.GIT_UNREAD]
    assert why in message
    assert where == "../.git"


def test_in_a_repository_inside_that_is_lost_the_rules_from_above_go_on(mono):
    inner = {"svc/src/demo/inner/__init__.py": "", "svc/src/demo/inner/a.json": "{}"}
    plant(mono, {**inner, ".gitignore": "*.json\n"})
    (mono / "svc/src/demo/inner/.git").symlink_to("gone")
    assert packed(mono / "svc") == MODULES | {"demo/inner/__init__.py"}


@pytest.mark.parametrize("name", [".gitignore", ".cloacinaignore"])
@pytest.mark.parametrize(
    ("folder", "where"), [("", "../"), ("svc/", ""), ("svc/src/demo/", "src/demo/")]
)
def test_an_ignore_file_that_is_a_link_does_not_count_and_is_said(mono, folder, where, name):
    plant(mono, {**SECRETS, "rules": "hidden/\n*.json\n"})
    (mono / folder / name).symlink_to(mono / "rules")
    assert packed(mono / "svc") > MODULES
    message, place, hint = findings(mono / "svc")[Code.GIT_UNREAD]
    assert (message, place) == ("its rules are ignored: a link", where + name)
    assert hint == "put the file itself there"


def test_a_git_that_is_a_link_is_followed_and_one_that_is_a_pipe_is_none(mono, tmp_path):
    plant(mono, {**SECRETS, ".gitignore": "hidden/\n*.json\n"})
    (mono / ".git").rename(tmp_path / "elsewhere")
    (mono / ".git").symlink_to(tmp_path / "elsewhere")
    assert packed(mono / "svc") == MODULES
    (mono / ".git").unlink()
    os.mkfifo(mono / ".git")
    assert packed(mono / "svc") > MODULES


def test_an_ignore_file_above_the_project_that_is_too_large_is_refused_by_its_path(mono):
    plant(mono, {".gitignore": b"x\n" * (1 << 20)})
    with pytest.raises(Refused) as caught:
        select(mono / "svc")
    assert caught.value.diagnostics[0].where == str(mono / ".gitignore")


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to the administrator")
def test_an_ignore_file_above_the_project_that_is_closed_is_an_error(mono):
    plant(mono, {".gitignore": "x\n"})
    (mono / ".gitignore").chmod(0)
    with pytest.raises(FileProblem):
        select(mono / "svc")


@pytest.mark.skipif(os.geteuid() != 0, reason="only the administrator gives files away")
def test_a_repository_of_a_stranger_around_the_project_has_no_say(mono, tmp_path):
    plant(mono, {**SECRETS, ".gitignore": "*.py\n"})
    project = mono / "svc"
    for path in (mono / ".git", mono):
        os.chown(path, 4711, 4711)
    assert packed(project) > MODULES
    reason = "it belongs to another user"
    assert select(project).git_problems == (GitProblem("../.git", reason),)
    os.chown(project, 4711, 4711)  # as in a container, where all of the work tree is mounted
    assert select(project).git_problems == ()
