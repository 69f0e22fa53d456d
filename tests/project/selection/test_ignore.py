"""Ignore files mean here what they mean to git; and what the walk promises for every tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cloacina_ctl.project.selection.exclusions import deny_file, deny_folder
from cloacina_ctl.project.selection.walk import TreeRules, select_tree
from tests.support.machine import need
from tests.support.trees import plant

NAMES = ("a", "b", "foo", "bar.txt", "x.log", "dir", "keep")
PATTERNS = (
    "a", "a/", "/a", "*.log", "!x.log", "foo/**", "!foo/keep", "**/b", "dir/*", "!dir/keep",
    "foo", "!foo/", "*", "!*/", "b/x.log", "/foo/b", "**/foo/b", "a/**/b", "x.lo?", "[ab]",
    "[!a]", "\\!x", "# a", "  ", "bar.txt ", "bar.*", "!bar.txt", "*/a", "dir/**/", "foo/*/",
    "/*", "!/keep", "**", "a**b", "!a", "\\a", "d*r/", "foo/**/b", "/**/a", "!dir/", "dir",
)  # fmt: skip

paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)
ignores = st.lists(st.sampled_from(PATTERNS), max_size=4).map("\n".join)
folders = st.sampled_from(("", "a/", "foo/", "dir/", "foo/b/"))


def write(root: Path, files: list[str], ignore: dict[str, str]) -> None:
    """Write the files that do not stand in each other's way."""
    for path in sorted(files, reverse=True):
        full = root / path
        if not full.is_dir() and not any(parent.is_file() for parent in full.parents):
            plant(root, {path: ""})
    for folder, text in ignore.items():
        if not folder or (root / folder).is_dir():
            plant(root, {f"{folder}.gitignore": text})


def selected(root: Path) -> set[str]:
    return {str(file.path) for file in select_tree(str(root), TreeRules(), lambda *_: "x").files}


def git_lists(git: str, root: Path) -> set[str]:
    """Return what git would add: other files, by the ignore files of the tree alone."""
    environment = {
        "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(root / ".none"),
        "XDG_CONFIG_HOME": str(root / ".none"),
    }  # fmt: skip
    for arguments in (["init", "-q"], ["ls-files", "-oz", "--exclude-standard"]):
        done = subprocess.run(
            [git, *arguments], cwd=root, env=environment, capture_output=True, check=True
        )
    shutil.rmtree(root / ".git")
    names = {os.fsdecode(name) for name in done.stdout.split(b"\0") if name}
    return {name for name in names if not name.endswith(".gitignore")}


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    files=st.lists(paths, min_size=1, max_size=12),
    ignore=st.dictionaries(folders, ignores, max_size=3),
)
def test_leaves_out_what_git_would(files, ignore):
    git = need("git")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, files, ignore)
        assert selected(root) == git_lists(git, root)


above = st.sampled_from(("svc", "a/b", "dir/keep"))
places = st.sampled_from(("", "a/", "dir/", "svc/", "svc/foo/", "a/b/", "a/b/dir/", "dir/keep/"))


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Return the `.git` of a new repository, to copy."""
    folder = tmp_path_factory.mktemp("repository")
    run_git(folder, "init", "-q", "--template=")
    return folder / ".git"


def run_git(folder: Path, *arguments: str) -> list[str]:
    """Run git without anybody's settings; return the names that it prints."""
    environment = {
        "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "HOME": "/nonexistent",
        "XDG_CONFIG_HOME": "/nonexistent",
    }  # fmt: skip
    done = subprocess.run(
        [need("git"), *arguments], cwd=folder, env=environment, capture_output=True, check=True
    )
    return [os.fsdecode(name) for name in done.stdout.split(b"\0") if name]


@settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    project=above,
    files=st.lists(paths, min_size=1, max_size=12),
    ignore=st.dictionaries(places, ignores, max_size=4),
    exclude=ignores,
)
def test_a_project_in_a_work_tree_leaves_out_what_git_would(
    repository, project, files, ignore, exclude
):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, [f"{project}/{path}" for path in files], ignore)
        shutil.copytree(repository, root / ".git")
        plant(root, {".git/info/exclude": exclude, f"{project}/pinned": ""})
        listed = run_git(root / project, "ls-files", "-oz", "--exclude-standard")
        if is_ignored_itself(root, project):
            (root / ".git").rename(root / ".no")
            alone = selected(root / project)
            (root / ".no").rename(root / ".git")
            assert selected(root / project) == alone
        else:
            wanted = {name for name in listed if not name.endswith((".gitignore", "/"))}
            assert selected(root / project) == wanted


def is_ignored_itself(root: Path, project: str) -> bool:
    command = [need("git"), "check-ignore", "-q", project]
    return subprocess.run(command, cwd=root, capture_output=True, check=False).returncode == 0


TRAPS = [
    ".env",
    ".env.local",
    ".env.example",
    "prod.env",
    ".envrc",
    "server.pem",
    "SERVER.KEY",
    "id_rsa",
    "id_ed25519",
    "deploy_rsa",
    "x.p12",
    "x.pfx",
    "x.jks",
    "x.keystore",
    "x.kdbx",
    "x.ppk",
    "x.keytab",
    ".npmrc",
    ".yarnrc.yml",
    ".pypirc",
    "pip.conf",
    ".netrc",
    "_netrc",
    ".git-credentials",
    ".dockercfg",
    ".dockerconfigjson",
    ".pgpass",
    ".my.cnf",
    ".s3cfg",
    ".boto",
    ".htpasswd",
    ".vault-token",
    ".vault_pass",
    "credentials",
    "credentials.json",
    "credentials.toml",
    "credentials.yaml",
    "secrets.json",
    "secrets.yml",
    "secrets.toml",
    "secret.txt",
    "aws_credentials.ini",
    "client_secret_1.json",
    "service-account.json",
    "my_service_account_key.json",
    "x-firebase-adminsdk-1.json",
    "token.json",
    "application_default_credentials.json",
    "terraform.tfstate",
    "terraform.tfstate.backup",
    "prod.tfvars",
    "prod.auto.tfvars.json",
    "kubeconfig",
    "admin.kubeconfig",
    ".terraformrc",
    "rclone.conf",
    "kaggle.json",
    ".databrickscfg",
    ".bash_history",
    ".python_history",
    ".psql_history",
    ".zsh_history",
    ".lesshst",
    ".viminfo",
    "core",
    "core.4711",
    "x.hprof",
    "x.dmp",
    "x.core",
    "x.har",
    "wallet.dat",
    "local.settings.json",
    "passwords.txt",
    "sftp-config.json",
    "auth.json",
    "api.token",
    "x.secret",
    "x.gpg",
    "secring.gpg",
    "krb5cc_1000",
    "master.key",
    "x.ovpn",
]
TRAP_FOLDERS = [
    ".aws",
    ".azure",
    ".gcloud",
    ".kube",
    ".docker",
    ".ssh",
    ".gnupg",
    ".oci",
    ".kaggle",
    ".snowsql",
    ".vault",
]


@pytest.mark.parametrize("name", TRAPS)
def test_a_secret_by_its_name_is_left_out_and_reported(name):
    denied = deny_file(name)
    assert denied is not None
    assert denied.secret


@pytest.mark.parametrize("name", TRAP_FOLDERS)
def test_a_folder_of_secrets_is_left_out_and_reported(name):
    denied = deny_folder(name)
    assert denied is not None
    assert denied.secret


@pytest.mark.parametrize(
    "name",
    [
        "secrets.py",
        "credentials.py",
        "id_map.py",
        "tokens.csv",
        "token_counts.csv",
        "tokenizer.json",
        "env.py",
        "core.py",
        "environment.yml",
        "keys.py",
        "password_rules.py",
        "LICENSE",
        "data.parquet",
        "model.bin",
        "id_rsa.pub",
        "ca.crt",
        "monkey.txt",
        "keynote.md",
        "states.json",
        "history.csv",
        "report.txt",
        "settings.toml",
        "config.yaml",
    ],
)
def test_ordinary_files_are_packed_whatever_words_are_in_their_names(name):
    assert deny_file(name) is None


@pytest.mark.parametrize("name", ["secret" + "-a" * 120, "." * 250, "credentials" + "._-" * 80])
def test_a_name_made_to_be_slow_is_judged_at_once(name):
    import time

    started = time.process_time()
    deny_file(name)
    assert time.process_time() - started < 0.05


secret_names = st.sampled_from((".env", "x.pem", "id_rsa", "credentials.json", "a.key"))
any_path = st.tuples(
    st.lists(st.sampled_from((*NAMES, ".aws", "__pycache__")), max_size=3),
    st.one_of(st.sampled_from(NAMES), secret_names),
).map(lambda parts: "/".join([*parts[0], parts[1]]))


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(
    files=st.lists(any_path, min_size=1, max_size=12),
    ignore=st.dictionaries(folders, ignores, max_size=2),
    include=st.lists(st.sampled_from(("*", "**/*", "*.*", "a/", "foo/**", "*.key")), max_size=2),
    exclude=st.lists(st.sampled_from(("b", "*.log", "dir/")), max_size=1),
)
def test_every_file_is_selected_or_left_out_and_no_secret_is_selected(
    files, ignore, include, exclude
):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, files, ignore)
        rules = TreeRules(include=tuple(include), exclude=tuple(exclude))
        selection = select_tree(str(root), rules, lambda *_: "x")
        chosen = {str(file.path) for file in selection.files}
        out = {left_out.path for left_out in selection.left_out}
        for path in (found for found in root.rglob("*") if found.is_file()):
            name = path.relative_to(root).as_posix()
            above = {f"{parent.as_posix()}/" for parent in Path(name).parents}
            assert name in chosen or name in out or above & out, name
        assert not chosen & out
        assert not any(deny_file(path.rpartition("/")[2]) for path in chosen)
        assert not any(deny_folder(part) for path in chosen for part in path.split("/")[:-1])
        other = os.umask(0o077)
        before = os.getcwd()
        try:
            os.chdir(root)
            copy = root / "copy"
            for name in sorted(out | chosen, reverse=True):
                if name in chosen:
                    plant(copy, {name: (root / name).read_bytes()})
            assert (
                select_tree(
                    str(root), rules._replace(exclude=(*exclude, "/copy/")), lambda *_: "x"
                ).files
                == selection.files
            )
        finally:
            os.umask(other)
            os.chdir(before)
