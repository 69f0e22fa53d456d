"""Keys by the command line: shown before trust, never lost unasked, handed over in CI."""

import base64
import re
import shlex
import subprocess
import sys

import pytest

from cloacina_ctl.operations import keys
from cloacina_ctl.signing.keys import PrivateKey
from tests.support.cli import PROGRAM
from tests.support.machine import need
from tests.support.terminals import Terminal

SEED = bytes(range(32))
KEY = PrivateKey.from_raw(SEED)
FINGERPRINT = KEY.public.fingerprint
GROUPS = "5647 5aa7 5463 474c 0285 df5d bf2b cab7"


@pytest.fixture
def typed(tmp_path):
    """Run the command on a terminal, where a person types ``keystrokes``."""

    def run(*words, keystrokes=""):
        terminal = Terminal(*PROGRAM, *words, cwd=tmp_path)
        terminal.type(keystrokes)
        ended = terminal.end()
        return ended._replace(err=ended.err.replace("\r\n", "\n"))

    return run


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "release.pem"
    path.write_bytes(KEY.to_pem())
    path.chmod(0o600)
    return path


@pytest.fixture
def author(tmp_path):
    path = tmp_path / "author.pub"
    path.write_bytes(KEY.public.to_pem())
    return path


# Seen before it is trusted


def test_a_key_in_a_file_is_shown_with_both_fingerprints(cli, secret, author, tmp_path):
    sealed = tmp_path / "sealed.pem"
    sealed.write_bytes(KEY.to_pem(b"secret"))  # of anybody: no mode is asked for
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("secret\n")
    for path, kind in (
        (author, "public only"),
        (secret, "private and public"),
        (sealed, "private and public, encrypted"),
    ):
        shown = cli("key", "show", path, CLOACINA_CTL_PASSPHRASE_FILE=str(passphrase))
        assert shown.status == 0
        first, groups, more, ssh, *pem = shown.out.splitlines()
        assert first == f"{path}: Ed25519, {kind}"
        assert re.sub("[^0-9a-f]", "", groups.split("fingerprint")[1] + more) == FINGERPRINT
        assert GROUPS in groups
        assert ssh.split()[-1] == KEY.public.openssh_fingerprint
        assert "\n".join(pem) + "\n" == KEY.public.to_pem().decode()
        assert "PRIVATE" not in shown.out


def test_a_passphrase_that_is_given_for_a_new_key_encrypts_it(cli, tmp_path):
    (tmp_path / "passphrase").write_text("correct horse battery\n")
    with open(tmp_path / "passphrase") as file:
        made = cli("key", "generate", "release", "--passphrase-fd", file.fileno(), "--json")
    assert made.status == 0
    assert made.json["result"]["encrypted"] is True


def test_a_key_that_is_stored_without_the_encryption_of_its_file_is_told(cli, tmp_path):
    (tmp_path / "sealed.pem").write_bytes(KEY.to_pem(b"correct horse battery"))
    (tmp_path / "sealed.pem").chmod(0o600)
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery\n")
    words = ("key", "import", "sealed.pem")
    told = cli(*words, "one", CLOACINA_CTL_PASSPHRASE_FILE=str(passphrase))
    assert told.status == 0, told.err
    assert "the stored key is not" in told.err
    assert cli("key", "remove", "one", "--yes", "--forget").status == 0
    kept = cli(*words, "two", "--passphrase", CLOACINA_CTL_PASSPHRASE_FILE=str(passphrase))
    assert "private and public, encrypted" in kept.out
    assert not kept.err


def test_on_a_terminal_the_fingerprint_is_shown_and_asked_about(typed, cli, author):
    status, out, said = typed("trust", "add", "author.pub", "alice", "-q", keystrokes="n\n")
    assert (status, out) == (1, "")
    assert GROUPS in said
    assert typed("trust", "add", "author.pub", "a b")[0] == 2  # before it asks
    assert KEY.public.openssh_fingerprint in said
    assert "alice" in said
    assert "Trust this key? [y/N]" in said
    assert keys.list_trusted() == ()
    assert typed("trust", "add", "author.pub", "alice", keystrokes="\x04")[0] == 1
    status, out, _ = typed("trust", "add", "author.pub", "alice", keystrokes="y\n")
    assert status == 0
    assert FINGERPRINT in out
    assert [key.name for key in keys.list_trusted()] == ["alice"]
    # what is trusted already is not asked about again
    assert "[y/N]" not in typed("trust", "add", "author.pub", "alice")[2]


def test_a_person_who_knows_is_not_asked(typed, author):
    assert typed("trust", "add", "author.pub", "alice", "--yes")[0] == 0
    keys.distrust_key("alice")
    assert typed("trust", "add", "author.pub", "alice", "--fingerprint", FINGERPRINT)[0] == 0


@pytest.mark.parametrize(
    "expected",
    [
        FINGERPRINT,
        FINGERPRINT.upper(),
        " ".join(FINGERPRINT[at : at + 4] for at in range(0, 64, 4)),
        ":".join(FINGERPRINT[at : at + 2] for at in range(0, 64, 2)),
        KEY.public.openssh_fingerprint,
        KEY.public.openssh_fingerprint + "=",
    ],
)
def test_a_script_gives_the_fingerprint_that_it_expects(cli, author, expected):
    assert cli("trust", "add", author, "alice", "--fingerprint", expected).status == 0
    assert [key.fingerprint for key in keys.list_trusted()] == [FINGERPRINT]


def test_another_key_than_the_expected_one_is_not_trusted(cli, author):
    other = PrivateKey.from_raw(bytes(32)).public
    for expected in (other.fingerprint, other.openssh_fingerprint):
        answer = cli("trust", "add", author, "alice", "--fingerprint", expected)
        assert answer.status == 4
        assert "error[S017]" in answer.err
        assert FINGERPRINT in answer.err
    for part in (FINGERPRINT[:63], "5647", "", "SHA256", FINGERPRINT + "0"):
        assert cli("trust", "add", author, "alice", "--fingerprint", part).status in (2, 4)
    part = KEY.public.openssh_fingerprint[:-1]
    assert cli("trust", "add", author, "alice", "--fingerprint", part).status == 2
    assert keys.list_trusted() == ()


def test_a_script_without_a_fingerprint_takes_the_key_that_it_names(cli, author):
    assert cli("trust", "add", author, "alice").status == 0


def test_a_key_of_ssh_keygen_signs_and_is_trusted(cli, unsigned, tmp_path):
    subprocess.run(
        [need("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "id")],
        check=True,
    )
    assert cli("sign", unsigned, "--key", "./id").status == 0
    assert cli("verify", unsigned, "--key", "id.pub").status == 0
    assert cli("verify", unsigned).status == 4
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", str(tmp_path / "id.pub")], capture_output=True, check=True
    ).stdout.decode()
    expected = shown.split()[1]
    assert cli("trust", "add", "id.pub", "me", "--fingerprint", expected).status == 0
    assert cli("verify", unsigned).status == 0
    assert cli("key", "import", "./id", "mine").status == 0
    assert cli("key", "show", expected, "--json").json["result"]["name"] == "mine"


# Lost by nobody


def test_a_private_key_is_not_removed_by_a_script_that_does_not_say_so(cli):
    keys.generate_key()
    answer = cli("key", "remove", "default")
    assert answer.status == 2
    assert "--yes" in answer.err
    assert [key.name for key in keys.list_keys()] == ["default"]


def test_on_a_terminal_the_name_of_a_private_key_is_typed_to_remove_it(typed):
    keys.generate_key()
    for keystrokes in ("yes\n", "\x04"):
        status, _, said = typed("key", "remove", "default", keystrokes=keystrokes)
        assert status == 1
        assert "the private key default cannot be restored" in said
    assert [key.name for key in keys.list_keys()] == ["default"]
    assert typed("key", "remove", "default", keystrokes="default\n")[0] == 0
    assert keys.list_keys() == ()


def test_what_a_removed_key_signed_stays_trusted(cli, signed):
    removed = cli("key", "remove", "default", "--yes", "--json").json["result"]
    assert removed["trusted_as"] == "default"
    assert cli("key", "list", "--json").json["result"] == []
    assert cli("verify", signed).status == 0
    assert cli("key", "generate").status == 0  # the name is free for the next one
    second = cli("key", "remove", "default", "--yes", "--json").json["result"]
    assert re.fullmatch(r"default-key-[0-9a-f]{8}", second["trusted_as"])
    assert len(keys.list_trusted()) == 2


def test_a_removed_key_can_be_forgotten(cli, signed):
    answer = cli("key", "remove", "default", "--yes", "--forget", "--json")
    assert answer.json["result"]["trusted_as"] is None
    assert keys.list_trusted() == ()
    assert cli("verify", signed).status == 4


def test_a_public_half_alone_is_removed_without_a_question_and_trusted_no_more(cli, author):
    cli("key", "import", author, "elsewhere")
    assert cli("key", "remove", "elsewhere").status == 0
    assert keys.list_trusted() == ()


def test_who_has_a_key_of_that_name_is_told_to_make_another_one(cli):
    keys.generate_key()
    answer = cli("key", "generate")
    assert answer.status == 4
    command = answer.err.split("`")[1]
    assert "remove" not in answer.err
    assert cli(*shlex.split(command)[1:]).status == 0


# One bad file


def test_one_bad_key_stops_only_who_needs_it(cli, config, signed, unsigned, secret, author):
    keys.generate_key("broken")
    (config / "keys" / "broken.pub.pem").write_text("x")
    listed = cli("key", "list")
    assert listed.status == 0
    assert [line.split()[0] for line in listed.out.splitlines()] == ["default"]
    assert "warning[S018]" in listed.err
    assert "the key broken is left out" in listed.err
    for words in (
        ("sign", unsigned, "--key", "default", "-o", "a"),
        ("sign", unsigned, "--key", secret, "-o", "b"),
        ("sign", unsigned, "-o", "c"),
        ("verify", signed),
        ("verify", unsigned, "--allow-unsigned"),
        ("verify", signed, "--key", "default"),
        ("key", "show", "default"),
        ("trust", "add", author, "alice"),
    ):
        answer = cli(*words)
        assert answer.status == 0, answer.err
    assert "warning[S018]" in cli("verify", signed).err
    for words in (
        ("sign", unsigned, "--key", "broken"),
        ("verify", signed, "--key", "broken"),
        ("key", "show", "broken"),
        ("key", "export", "broken"),
    ):
        answer = cli(*words)
        assert (answer.status, "error[S005]" in answer.err) == (4, True)


def test_a_key_that_is_named_by_a_file_needs_nothing_of_the_stores(
    cli, config, unsigned, secret, author
):
    (config / "trust.json").write_text("broken")
    (config / "keys").write_text("no folder")
    assert cli("sign", unsigned, "--key", secret).status == 0
    assert cli("verify", unsigned, "--key", author).status == 0


def test_a_folder_above_the_stores_that_others_can_write_to_refuses_and_the_cure_works(
    cli, tmp_path, signed
):
    above = tmp_path / "above"
    folder = str(above / "config")
    cli("key", "generate", CLOACINA_CTL_CONFIG_DIR=folder)
    above.chmod(0o777)
    for words in (("verify", signed), ("key", "list"), ("trust", "list"), ("sign", signed)):
        answer = cli(*words, CLOACINA_CTL_CONFIG_DIR=folder)
        assert answer.status == 4
        assert f"error[S016] {above}: " in answer.err
    subprocess.run(["sh", "-c", answer.err.split("then: ")[1]], check=True)
    assert cli("key", "list", CLOACINA_CTL_CONFIG_DIR=folder).status == 0


# In CI


@pytest.mark.parametrize(
    "verb",
    [("sign", "--key"), pytest.param(("package", "--sign"), marks=pytest.mark.slow)],
)
def test_a_secret_of_ci_signs_from_a_variable_standard_input_or_a_pipe(
    cli, project, unsigned, tmp_path, secret, verb
):
    pem = secret.read_text()
    verb, option = verb
    base = base64.b64encode(pem.encode()).decode()

    def run(number, spec, **more):
        start = ("sign", unsigned) if verb == "sign" else ("package", project)
        done = cli(*start, option, spec, "-o", f"{number}.cloacina", **more)
        assert done.status == 0, done.err
        assert base not in done.err + done.out

    run(1, "env:SIGNING_KEY", SIGNING_KEY=pem)
    run(2, "env:SIGNING_KEY", SIGNING_KEY=base)
    run(3, "-", stdin=pem.encode())
    run(4, "/dev/stdin", stdin=pem.encode())
    run(5, secret)
    shell = (
        f'{sys.executable} -m cloacina_ctl {verb} "$1" {option} fd:3 -o 6.cloacina 3< release.pem'
        f' && {sys.executable} -m cloacina_ctl {verb} "$1" {option} <(cat release.pem)'
        " -o 7.cloacina"
    )
    start = unsigned if verb == "sign" else project
    subprocess.run(["bash", "-c", shell, "bash", str(start)], cwd=tmp_path, check=True)
    (tmp_path / "author.pub").write_bytes(KEY.public.to_pem())
    made = [f"{number}.cloacina" for number in range(1, 8)]
    assert cli("verify", *made, "--key", "author.pub").status == 0


def test_the_usual_key_may_be_in_a_variable(cli, unsigned, config):
    done = cli(
        "sign", unsigned, CLOACINA_CTL_SIGNING_KEY="env:K", K=KEY.to_pem().decode()
    )  # fmt: skip
    assert done.status == 0
    (config / "config.toml").write_text('signing_key = "env:K"\n')
    done = cli("sign", unsigned, "--replace", FINGERPRINT, K=KEY.to_pem().decode())
    assert done.status == 0


def test_the_text_of_a_key_where_its_name_belongs_is_refused_and_the_cure_works(cli, unsigned):
    pem = KEY.to_pem().decode()
    middle = pem.splitlines()[1][24:40]
    for wrong in (pem, base64.b64encode(pem.encode()).decode()):
        answer = cli("sign", unsigned, CLOACINA_CTL_SIGNING_KEY=wrong)
        assert answer.status == 2
        assert "error[U002]" in answer.err
        assert middle not in answer.err
        assert wrong[60:76] not in answer.err
        source = re.search(r"`(env:SIGNING_KEY)`", answer.err)[1]
    done = cli("sign", unsigned, CLOACINA_CTL_SIGNING_KEY=source, SIGNING_KEY=pem)
    assert done.status == 0


def test_standard_input_is_the_package_or_the_key(cli, unsigned):
    for words in (("sign", "-", "--key", "-", "-o", "x"), ("verify", "-", "--key", "-")):
        assert cli(*words, stdin=b"x").status == 2


def test_a_public_key_that_is_there_once_judges_several_packages(cli, signed, unsigned, tmp_path):
    public = cli("key", "export", "default").out
    answer = cli("verify", signed, signed, "--key", "-", stdin=public.encode())
    assert answer.status == 0
    answer = cli("verify", signed, signed, "--key", "env:AUTHOR", AUTHOR=public)
    assert answer.status == 0


def test_help_names_the_variables(cli):
    for verb in ("sign", "package"):
        shown = cli(verb, "--help").out
        assert "CLOACINA_CTL_SIGNING_KEY" in shown
        assert "CLOACINA_CTL_PASSPHRASE_FILE" in shown
        assert "env:NAME" in shown
    assert "CLOACINA_CTL_CONFIG_DIR" in cli("verify", "--help").out
