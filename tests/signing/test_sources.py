"""Where a key may come from besides a file of one's own: pipes, descriptors, variables, groups."""

import base64
import os
import subprocess
import threading

import pytest

from cloacina_ctl.errors import CloacinaError, Code, FileProblem, NotTrusted
from cloacina_ctl.signing import sources
from cloacina_ctl.signing.keys import PrivateKey, load_key, load_private_key, load_public_key
from cloacina_ctl.signing.resolve import find_private, find_public
from tests.support.machine import as_user, folder_of, small_disk

KEY = PrivateKey.from_raw(bytes(range(32)))
PEM = KEY.to_pem()
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.fixture
def pipe():
    """Return a function that makes a pipe with bytes in it and its writer closed."""
    ends = []

    def make(data):
        reading, writing = os.pipe()
        ends.append(reading)
        os.write(writing, data)
        os.close(writing)
        return reading

    yield make
    for end in ends:
        os.close(end)


@pytest.mark.parametrize(
    "value",
    [
        PEM.decode(),
        PEM.decode().replace("\n", "\r\n"),
        base64.b64encode(PEM).decode(),
        base64.encodebytes(PEM).decode(),
        PEM.split(b"\n")[1].decode(),  # the base64 of DER
    ],
)
def test_a_variable_holds_the_text_of_a_key_or_base64_and_is_gone_when_it_was_read(
    monkeypatch, value
):
    monkeypatch.setenv("SIGNING_KEY", value)
    assert load_private_key("env:SIGNING_KEY").public == KEY.public
    assert "SIGNING_KEY" not in os.environ
    told = subprocess.run(["env"], capture_output=True, check=True).stdout
    assert b"SIGNING_KEY" not in told


def test_a_public_key_in_a_variable_stays_there(monkeypatch):
    monkeypatch.setenv("AUTHOR", KEY.public.to_pem().decode())
    assert load_public_key("env:AUTHOR") == KEY.public
    assert load_public_key("env:AUTHOR") == KEY.public


@pytest.mark.parametrize("value", [None, ""])
def test_a_variable_that_is_not_set_is_said(monkeypatch, value):
    monkeypatch.delenv("SIGNING_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("SIGNING_KEY", value)
    with pytest.raises(NotTrusted) as caught:
        load_private_key("env:SIGNING_KEY")
    assert caught.value.diagnostics[0].code is Code.NO_SUCH_KEY
    assert "SIGNING_KEY" in caught.value.diagnostics[0].message


@pytest.mark.parametrize(
    "value",
    [PEM.decode().replace("\n", "\\n"), PEM.decode().replace("\n", " "), "secret-words" * 4],
)
def test_a_variable_with_something_else_is_refused_without_showing_it(monkeypatch, value):
    monkeypatch.setenv("SIGNING_KEY", value)
    with pytest.raises(NotTrusted) as caught:
        load_private_key("env:SIGNING_KEY")
    (found,) = caught.value.diagnostics
    assert found.where == "the variable SIGNING_KEY"
    assert value[-48:-36] not in f"{found.message} {found.hint}"


def test_the_cure_for_joined_lines_works(monkeypatch, tmp_path):
    path = tmp_path / "key.pem"
    path.write_bytes(PEM)
    monkeypatch.setenv("SIGNING_KEY", PEM.decode().replace("\n", " "))
    with pytest.raises(NotTrusted) as caught:
        load_private_key("env:SIGNING_KEY")
    command = caught.value.diagnostics[0].hint.split("`")[1].replace("FILE", str(path))
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    monkeypatch.setenv("SIGNING_KEY", done.stdout)
    assert load_private_key("env:SIGNING_KEY").public == KEY.public


def test_a_variable_with_the_path_of_a_file_is_told_as_one(tmp_path, monkeypatch):
    (tmp_path / "key.pem").write_bytes(KEY.to_pem())
    monkeypatch.setenv("SIGNING_KEY", str(tmp_path / "key.pem"))
    with pytest.raises(NotTrusted, match="holds the path of a file") as refused:
        load_private_key("env:SIGNING_KEY")
    assert '--key - < "$SIGNING_KEY"' in (refused.value.diagnostics[0].hint or "")


@pytest.mark.parametrize("spec", ["env:", "env:-----BEGIN PRIVATE KEY-----", "env:a b", "fd:x"])
def test_what_cannot_be_a_variable_or_descriptor_is_refused_without_showing_it(spec):
    with pytest.raises(NotTrusted) as caught:
        load_private_key(spec)
    assert spec[4:] == "" or spec[4:] not in caught.value.diagnostics[0].message


def test_a_descriptor_is_read_once_to_its_end(pipe, tmp_path):
    assert load_private_key(f"fd:{pipe(PEM)}").public == KEY.public
    (tmp_path / "key").write_bytes(PEM)
    fd = os.open(tmp_path / "key", os.O_RDONLY)  # whoever opened it judged it
    try:
        assert load_private_key(f"fd:{fd}").public == KEY.public
    finally:
        os.close(fd)
    with pytest.raises(FileProblem, match="bad file descriptor"):
        load_private_key(f"fd:{fd}")
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(NotTrusted, match="no file and no pipe"):
        load_private_key(f"fd:{folder}")
    os.close(folder)


def test_a_terminal_is_no_key():
    main, side = os.openpty()
    with pytest.raises(NotTrusted, match="found a terminal"):
        load_private_key(f"fd:{side}")
    os.close(main)
    os.close(side)


def test_a_pipe_by_its_path_is_read(pipe):
    assert load_private_key(f"/dev/fd/{pipe(PEM)}").public == KEY.public
    with pytest.raises(NotTrusted, match="empty"):
        load_private_key(f"/dev/fd/{pipe(b'')}")


def test_a_pipe_without_an_end_is_left_when_it_is_too_much():
    reading, writing = os.pipe()
    thread = threading.Thread(target=_pour, args=(writing,))
    thread.start()
    with pytest.raises(NotTrusted, match="at most"):
        load_private_key(f"/dev/fd/{reading}")
    os.close(reading)
    thread.join()


def _pour(fd):
    try:
        while True:
            os.write(fd, b"x" * 4096)
    except BrokenPipeError:
        os.close(fd)


def test_a_fifo_is_waited_for_until_its_writer_is_done(tmp_path):
    path = tmp_path / "fifo.key"
    os.mkfifo(path, 0o600)

    def write():
        with open(path, "wb", buffering=0) as file:
            file.writelines(bytes([byte]) for byte in PEM)

    writer = threading.Thread(target=write)
    writer.start()
    assert load_private_key(str(path)).public == KEY.public
    writer.join()


def test_a_fifo_that_nobody_writes_into_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_WRITER_SECONDS", 0.05)
    os.mkfifo(tmp_path / "fifo.key", 0o600)
    with pytest.raises(NotTrusted, match="no program wrote"):
        load_key(str(tmp_path / "fifo.key"))


def test_a_fifo_that_others_can_use_is_refused_for_a_private_key(tmp_path, pipe):
    path = tmp_path / "fifo.key"
    os.mkfifo(path, 0o600)
    path.chmod(0o666)
    writer = threading.Thread(target=lambda: path.write_bytes(PEM))
    writer.start()
    with pytest.raises(NotTrusted) as caught:
        load_private_key(str(path))
    writer.join()
    assert caught.value.diagnostics[0].code is Code.KEY_EXPOSED


# Secrets that an administrator hands to a group, as Kubernetes does with `fsGroup`


@pytest.fixture
def secret():
    with folder_of(0) as folder:
        path = folder / "signing.pem"
        path.write_bytes(PEM)
        os.chown(path, 0, 2000)
        path.chmod(0o440)
        yield path


@needs_root
@pytest.mark.parametrize("mode", [0o440, 0o640])
def test_a_secret_that_root_gives_to_our_group_to_read_is_taken(secret, mode):
    secret.chmod(mode)
    with as_user(12345, groups=(2000,)):
        assert load_private_key(str(secret)).public == KEY.public
    before = os.getgroups()
    os.setgroups([0, 2000])  # a container whose user is root
    try:
        assert load_private_key(str(secret)).public == KEY.public
    finally:
        os.setgroups(before)


@needs_root
@pytest.mark.parametrize("mode", [0o444, 0o644, 0o660, 0o450])
def test_a_secret_that_is_open_to_more_than_our_groups_eyes_is_refused(secret, mode):
    secret.chmod(mode)
    with as_user(12345, groups=(2000,)), pytest.raises(NotTrusted) as caught:
        load_private_key(str(secret))
    (found,) = caught.value.diagnostics
    assert found.code is Code.KEY_EXPOSED
    subprocess.run(["sh", "-c", found.hint.split("administrator: ")[1]], check=True)
    with as_user(12345, groups=(2000,)):
        assert load_private_key(str(secret)).public == KEY.public


@needs_root
def test_a_secret_of_another_user_or_another_group_is_refused(secret):
    secret.chmod(0o440)
    with pytest.raises(NotTrusted):  # root is in no group 2000 here
        load_private_key(str(secret))
    os.chown(secret, 777, 2000)
    with as_user(12345, groups=(2000,)), pytest.raises(NotTrusted, match="another user"):
        load_private_key(str(secret))


@needs_root
def test_a_secret_on_a_read_only_mount_has_a_cure_that_is_none_of_chmod(tmp_path):
    """A secret's volume is a tmpfs that cannot be written to; its default mode is 0644."""
    with small_disk(tmp_path / "mnt", "mode=0755") as disk:
        path = disk / "signing.pem"
        path.write_bytes(PEM)
        path.chmod(0o644)
        remount = ["mount", "-o", "remount,{}", str(disk)]
        subprocess.run([word.format("ro") for word in remount], check=True)
        with pytest.raises(NotTrusted) as caught:
            load_private_key(str(path))
        assert "`defaultMode: 0400`" in caught.value.diagnostics[0].hint
        subprocess.run([word.format("rw") for word in remount], check=True)
        path.chmod(0o400)  # as the hint says
        subprocess.run([word.format("ro") for word in remount], check=True)
        assert load_private_key(str(path)).public == KEY.public


# What a user typed


@pytest.mark.parametrize(
    "spec",
    [
        PEM.decode(),
        base64.b64encode(PEM).decode(),
        PEM.split(b"\n")[1].decode(),
        base64.b64encode(bytes(range(32))).decode(),
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4",
    ],
)
def test_the_key_itself_where_its_name_belongs_is_refused_without_showing_it(spec, tmp_path):
    for find in (find_private, find_public):
        with pytest.raises(CloacinaError) as caught:
            find(spec, str(tmp_path))
        assert spec[30:44] not in repr(caught.value.diagnostics)


def test_hex_digits_that_could_be_a_key_are_not_shown(tmp_path):
    digits = bytes(range(32)).hex()
    with pytest.raises(NotTrusted) as caught:
        find_private(digits, str(tmp_path))
    assert digits[:16] not in repr(caught.value.diagnostics)


def test_a_long_path_of_a_key_is_no_key(tmp_path):
    with pytest.raises(FileProblem):
        find_private("/home/runner/work/temp/keys/signing/release/production/key", str(tmp_path))
    folder = tmp_path / "configurations" / "signingkeysofeverybody"
    folder.mkdir(parents=True)
    (folder / "release").write_bytes(PEM)
    (folder / "release").chmod(0o600)
    before = os.getcwd()
    os.chdir(tmp_path)
    try:
        spec = "configurations/signingkeysofeverybody/release"
        assert find_private(spec, str(tmp_path)).public == KEY.public
    finally:
        os.chdir(before)
