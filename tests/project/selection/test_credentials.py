"""What may be secret is not packed, and that is said; what is inside of a packed file is found."""

from __future__ import annotations

import re

import pytest

from cloacina_ctl.cli import main
from cloacina_ctl.project.reading import read_project
from cloacina_ctl.project.selection import exclusions
from cloacina_ctl.project.selection.credentials import secrets_of
from cloacina_ctl.project.selection.select import select_files
from tests.cli.secret_places import SHAPED, told
from tests.support.projects import DOCS
from tests.support.trees import tree

PAGE = (DOCS / "projects.md").read_text("utf-8")
SECRET_NAMES = (
    "dump.sql", "prod-dump.sql.gz", "backup_2026.sql", "all.sql.xz", "orders.dump", "data.sqlite",
    "db.sqlite3", "Data.SQLite3", "app.db-wal", "dump.rdb", "wp-config.php", "nohup.out",
    "trust.json", "known_hosts", "authorized_keys", "gcp-key.json", "my-service-account.json",
    ".Rhistory", ".RData", ".bash_history", ".zhistory", "fish_history", "ConsoleHost_history.txt",
    ".bashrc", ".zshenv", ".Renviron", ".netrc", "_netrc", ".pgpass", "kubeconfig", ".npmrc",
    ".pypirc", "terraform.tfstate", "terraform.tfstate.backup", "prod.tfvars", "release.jks",
    "site.p12", "site.pfx", "id_rsa", "id_ed25519", "deploy_rsa", "npm-debug.log", "key4.db",
    "logins.json", "database.yml", "traffic.pcap", ".env", ".env.local", "credentials.toml",
    ".git-credentials", ".dockerconfigjson", "client_secret_1.json", "token.json", "login.keychain",
)  # fmt: skip
INNOCENT = (
    "id_rsa.pub", "queries.sql", "dumps.py", "export.sql", "backups.md", "history.py", "keys.csv",
    "lookup.db", "data.json", "config.json", "config.ini", "key_figures.json", "profile.json",
    "trust.py", "secrets.py", "bashrc.md", "access.log", "tokens.py", "nohup.txt", "sqlite.md",
    "dump.json", "monkeys.json",
)  # fmt: skip
FOLDERS = (".aws", ".ssh", ".kube", ".docker", ".gnupg", ".terraform.d", ".putty", ".mozilla")


def entry(name: str) -> str:
    return f"workflow/demo/{name}"


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_file_that_may_be_secret_has_a_reason_to_stay_out(name):
    why = exclusions.deny_file(name)
    assert why is not None
    assert why.secret
    assert f"| {why.reason} |" in PAGE


@pytest.mark.parametrize("name", INNOCENT)
def test_a_file_that_only_sounds_like_it_is_packed(name):
    assert exclusions.deny_file(name) is None


def test_secret_files_are_packed_only_where_their_exact_path_is_included(tmp_path):
    names = {entry(name): "x" for name in SECRET_NAMES}
    names.update({entry(f"{folder}/config"): "x" for folder in FOLDERS})
    root = tree(tmp_path, names)
    (root / "cloacina.toml").write_text(
        'include = ["workflow/demo/data.sqlite", "*.sql", "*", ".aws/*"]\n'
    )
    selection = select_files(read_project(str(root)))
    packed = {str(file.path) for file in selection.files}
    assert packed & set(names) == {entry("data.sqlite")}
    secret = {out.path for out in selection.left_out if out.secret}
    assert secret == {entry(name) for name in SECRET_NAMES if name != "data.sqlite"} | {
        entry(f"{folder}/") for folder in FOLDERS
    }


@pytest.mark.parametrize(
    "files",
    [
        (".rustc_info.json", "debug/deps/a.d"),
        ("release/.cargo-lock", "release/liba.so"),
        ("debug/a",),
        ("CACHEDIR.TAG", "x/y"),
    ],
)
def test_what_cargo_built_is_not_packed_also_without_its_tag(tmp_path, files):
    root = tree(tmp_path, {f"target/{name}": "x" for name in files})
    packed = {str(file.path) for file in select_files(read_project(str(root))).files}
    assert [path for path in packed if "target" in path] == []


def test_a_module_called_target_is_packed(tmp_path):
    module = {entry("target/__init__.py"): "", entry("target/release/__init__.py"): ""}
    root = tree(tmp_path, module)
    packed = {str(file.path) for file in select_files(read_project(str(root))).files}
    assert set(module) <= packed


LETTERS = "aB3dE5gH7jK9mN1pQ3sT5vW7yZ9bC2eF4hJ6kM8"
CREDENTIALS = {
    "an AWS access key": f"key = AKIA{'Q3EGRW5TZ7YUXK2M'}\n",
    "a secret access key of AWS": f"aws_secret_access_key = {LETTERS}x\n",
    "a GitHub token": f"ghp_{LETTERS[:36]}",
    "a GitLab token": f"glpat-{LETTERS[:20]}",
    "a Slack token": f"xoxb-{LETTERS[:12]}",
    "a Stripe key": f"sk_live_{LETTERS[:24]}",
    "a Google API key": f"AIza{LETTERS[:35]}",
    "an npm token": f"npm_{LETTERS[:36]}",
    "the token of a package registry": f"//registry.example/:_authToken={LETTERS}\n",
    "the login of a container registry": '{"auths": {"r.example": {"auth": "YWRhOnNlY3JldA=="}}}',
    "the client key of a Kubernetes cluster": f"client-key-data: {LETTERS}aa\n",
    "the key of an Azure storage account": f"AccountKey={(LETTERS * 3)[:86]}==",
    "a PuTTY private key": "PuTTY-User-Key-File-2: ssh-ed25519\n",
    "a private key": '{"type": "service_account", "private_key": "' + SHAPED[1].text + '"}',
}  # fmt: skip


@pytest.mark.parametrize("what", CREDENTIALS)
def test_a_credential_inside_of_a_file_is_found_by_its_form(what):
    text = CREDENTIALS[what]
    found = secrets_of(f"first line\n{text}".encode(), "config.ini")
    assert [one.what for one in found] == [what]
    assert LETTERS[:10] not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "AKIAIOSFODNN7EXAMPLE",
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "aws_secret_access_key = os.environ['KEY']",
        "_authToken=${NPM_TOKEN}",
        "-----BEGIN PUBLIC KEY-----",
        'if text.startswith("-----BEGIN"): pass',
        '{"auths": {}}',
        "ghp_",
        "THE AKIACHI PLANT",
        "let clk_divider_of_timer_17 = 4;",
    ],
)
def test_examples_and_names_of_variables_are_no_credentials(text):
    assert secrets_of(text.encode(), "config.ini") == ()


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with secrets among its files."""
    monkeypatch.chdir(tmp_path)
    names = (".env", "id_rsa", "data.sqlite", "dump.sql", ".aws/credentials")
    root = tree(tmp_path / "p", {entry(name): "x" for name in names})
    (root / entry("config.ini")).write_text(f"[aws]\n{CREDENTIALS['an AWS access key']}")
    return root


@pytest.fixture
def say(capsys):
    def run(*words):
        status = main.run(words)
        return (status, *capsys.readouterr())

    return run


@pytest.mark.parametrize("form", [(), ("--format", "source")])
def test_package_names_what_it_left_out_in_one_line(project, say, form, monkeypatch):
    monkeypatch.chdir(project)
    status, _, err = say("package", ".", *form)
    assert status == 0
    assert (
        "left out 5 files or folders that may hold secrets: workflow/demo/.aws/, "
        "workflow/demo/.env, workflow/demo/data.sqlite, ... (--list shows why)\n"
    ) in err
    assert "warning[P020] workflow/demo/config.ini:2: an AWS access key stands in a file" in err


def test_package_says_nothing_where_nothing_was_left_out_or_is_wanted(project, say, tmp_path):
    assert "left out" not in say("package", str(project), "--quiet")[2]
    assert "left out" not in say("package", str(tree(tmp_path / "q", {})), "-o", "q.cloacina")[2]


def test_list_and_verbose_tell_each_reason_and_how_to_include_it(project, say):
    _, _, err = say("package", str(project), "--list")
    assert "left out: workflow/demo/dump.sql: a dump of a database" in err
    _, _, err = say("package", str(project), "--verbose")
    assert err.count("note[P011]") == 5
    hint = 'if it is not a secret: `include = ["workflow/demo/dump.sql"]`, in cloacina.toml'
    assert hint in err
    assert "left out 5" not in err


def test_a_secret_inside_of_a_file_is_found_and_not_shown(project, say):
    for words in (("validate", str(project)), ("package", str(project), "--json", "--debug")):
        _, out, err = say(*words)
        assert "P020" in out + err
        assert "Q3EGRW5TZ7YU" not in "".join(told(out, err))


def test_the_page_names_each_reason_once():
    reasons = {
        why.reason for why in vars(exclusions).values() if isinstance(why, exclusions.Denied)
    }
    for reason in reasons:
        assert len(re.findall(rf"^\| {re.escape(reason)} \|", PAGE, re.MULTILINE)) == 1, reason
