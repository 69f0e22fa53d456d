"""`sign` for packages of other generations: one sidecar beside the file, which stays as it is."""

import bz2
import gzip
import json
import os

import pytest

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code
from cloacina_ctl.operations import keys
from cloacina_ctl.operations.sign import SignRequest, sign
from cloacina_ctl.signing.keys import load_public_key
from cloacina_ctl.signing.sidecar import check_sidecar_signature, find_sidecar
from cloacina_ctl.signing.signatures import KnownKey, SignatureStatus
from tests.support.legacy import source

WHEN = "2026-01-02T03:04:05Z"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A source package in the current folder, and a user with the keys `default` and `other`."""
    monkeypatch.chdir(tmp_path)
    for name in ("default", "other"):
        keys.generate_key(name)
    path = tmp_path / "x.cloacina"
    path.write_bytes(source())
    return path


def fingerprint(name="default"):
    return keys.show_key(name).fingerprint


def judged(package, config, name="default"):
    public = load_public_key(str(config / "keys" / f"{name}.pub.pem"))
    digest = Digest.of(package.read_bytes())
    return check_sidecar_signature(find_sidecar(str(package)), digest, [KnownKey(public)])


def test_a_source_package_gets_a_sidecar_beside_it_and_stays_as_it_is(cli, package, config):
    before = package.read_bytes()
    status, out, err = cli("sign", "x.cloacina")
    assert status == 0
    assert "x.cloacina.sig signs every byte of x.cloacina" in out
    assert "servers do not read it as a file" in err
    assert package.read_bytes() == before
    assert judged(package, config).status is SignatureStatus.TRUSTED
    assert sorted(os.listdir()) == ["x.cloacina", "x.cloacina.sig"]


def test_the_answer_names_the_sidecar_and_the_digest_that_it_signs(cli, package):
    status, out, _ = cli("sign", "x.cloacina", "--json")
    assert status == 0
    assert json.loads(out)["result"] == {
        "path": "x.cloacina",
        "size": package.stat().st_size,
        "content": "sha256:" + Digest.of(package.read_bytes()),
        "added": [fingerprint()],
        "removed": [],
        "already": [],
        "signatures": 1,
        "sidecar": "x.cloacina.sig",
    }


def test_the_same_key_renews_its_sidecar_after_the_package_changed(cli, package, config):
    assert cli("sign", "x.cloacina")[0] == 0
    package.write_bytes(bz2.compress(bz2.decompress(package.read_bytes()), 1))
    assert judged(package, config).status is SignatureStatus.INVALID
    assert cli("sign", "x.cloacina")[0] == 0
    assert judged(package, config).status is SignatureStatus.TRUSTED


def test_the_sidecar_of_another_key_is_replaced_only_by_force(cli, package, config):
    cli("sign", "x.cloacina")
    before = (package.parent / "x.cloacina.sig").read_bytes()
    status, _, err = cli("sign", "x.cloacina", "--key", "other")
    assert status == 8
    assert "I001" in err
    assert "room for one signature" in err
    assert (package.parent / "x.cloacina.sig").read_bytes() == before
    status, out, _ = cli("sign", "x.cloacina", "--key", "other", "--force", "--json")
    assert status == 0
    assert json.loads(out)["result"]["removed"] == [fingerprint()]
    assert judged(package, config, "other").status is SignatureStatus.TRUSTED


def test_a_second_sidecar_goes_where_the_user_says(cli, package):
    cli("sign", "x.cloacina")
    assert cli("sign", "x.cloacina", "--key", "other", "-o", "second.sig")[0] == 0
    assert sorted(os.listdir()) == ["second.sig", "x.cloacina", "x.cloacina.sig"]


def test_two_keys_at_once_are_told_that_there_is_room_for_one(cli, package):
    status, _, err = cli("sign", "x.cloacina", "--key", "default", "--key", "other")
    assert status == 2
    assert "S011" in err
    assert os.listdir() == ["x.cloacina"]


@pytest.mark.parametrize(
    "words",
    [
        ("--comment", "x"),
        ("--remove", "0" * 64),
        ("--replace", "0" * 64),
        ("-o", "x.cloacina"),
        ("-o", "x.cloacina", "--force"),
        ("-o", "./x.cloacina", "--force"),
    ],
)
def test_what_no_sidecar_holds_and_what_would_destroy_the_package_is_a_wrong_command(
    cli, package, words
):
    before = package.read_bytes()
    status, _, err = cli("sign", "x.cloacina", *words)
    assert status == 2
    assert "U001" in err
    assert package.read_bytes() == before
    assert os.listdir() == ["x.cloacina"]


@pytest.mark.parametrize("content", [b"", b"{}", b"important", b"\xef\xbb\xbf{}", bytes(100_000)])
def test_a_file_that_is_no_sidecar_is_replaced_only_by_force(cli, package, content, config):
    there = package.parent / "x.cloacina.sig"
    there.write_bytes(content)
    status, _, err = cli("sign", "x.cloacina")
    assert status == 8
    assert "is no sidecar" in err
    assert there.read_bytes() == content
    assert cli("sign", "x.cloacina", "--force")[0] == 0
    assert judged(package, config).status is SignatureStatus.TRUSTED


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: os.symlink("gone", path)])
def test_what_is_no_file_is_never_replaced_and_never_waited_for(cli, package, make):
    make("x.cloacina.sig")
    for words in ((), ("--force",)):
        assert cli("sign", "x.cloacina", *words)[0] == 8
    assert sorted(os.listdir()) == ["x.cloacina", "x.cloacina.sig"]


def test_a_link_to_a_sidecar_is_not_written_through(cli, package):
    cli("sign", "x.cloacina", "-o", "real.sig")
    before = (package.parent / "real.sig").read_bytes()
    os.symlink("real.sig", "x.cloacina.sig")
    assert cli("sign", "x.cloacina", "--force")[0] == 8
    assert (package.parent / "real.sig").read_bytes() == before


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (source()[:-1], 3),
        (source() + b"x", 3),
        (source() * 2, 3),
        (b"BZh9", 3),
        (bz2.compress(b"no tar"), 3),
        (gzip.compress(b"no tar"), 3),
        (b"hello", 3),
        (b"", 3),
    ],
    ids=["cut", "trailing", "twice", "magic", "no-tar", "gzip-no-tar", "text", "empty"],
)
def test_nobody_signs_what_is_no_whole_package(cli, package, data, status):
    package.write_bytes(data)
    assert cli("sign", "x.cloacina")[0] == status
    assert os.listdir() == ["x.cloacina"]


def test_a_package_that_is_no_regular_file_is_not_waited_for(cli, package):
    os.mkfifo("fifo")
    for path in ("fifo", "/dev/zero", ".", "absent"):
        assert cli("sign", path)[0] == 8


def test_what_comes_on_standard_input_needs_a_place_for_its_sidecar(cli, package):
    data = package.read_bytes()
    assert cli("sign", "-", stdin=data).status == 2
    assert cli("sign", "-", "-o", "here.sig", stdin=data).status == 0
    assert sorted(os.listdir()) == ["here.sig", "x.cloacina"]


def test_the_time_is_the_one_that_the_caller_gives(package):
    made = sign(SignRequest(str(package), keys=keys.signing_keys(()), signed_at=WHEN))
    assert find_sidecar(str(package)).signed_at == "2026-01-02T03:04:05+00:00"
    assert made.content == "sha256:" + Digest.of(package.read_bytes())
    assert made.sidecar == f"{package}.sig"
    again = sign(SignRequest(str(package), keys=keys.signing_keys(()), signed_at=WHEN))
    assert again == made


# Keys in the forms of upstream's programs.


def test_a_key_goes_out_and_comes_in_again_in_every_form_of_upstream(cli, package):
    for form in ("pem", "pem-crlf", "raw"):
        assert cli("key", "export", "default", "--form", form, "-o", f"{form}.pub")[0] == 0
        words = ("--raw-public",) if form == "raw" else ()
        assert cli("key", "import", f"{form}.pub", f"public-{form}", *words)[0] == 0
        assert fingerprint(f"public-{form}") == fingerprint()
        secret = f"{form}.key"
        status, out, err = cli(
            "key", "export", "default", "--private", "--form", form, "-o", secret
        )
        assert (status, out) == (0, "")
        assert "not encrypted" in err
        assert os.stat(secret).st_mode & 0o777 == 0o600
        words = ("--raw-private",) if form == "raw" else ()
        assert cli("key", "import", secret, f"private-{form}", *words)[0] == 0
        assert keys.show_key(f"private-{form}").has_private
    assert (package.parent / "pem-crlf.pub").read_bytes().count(b"\r\n") == 3
    assert (package.parent / "pem-crlf.pub").read_bytes().count(b"\n") == 3
    assert len((package.parent / "raw.key").read_bytes()) == 32


@pytest.mark.parametrize(
    "words", [("--form", "raw"), ("--form", "pem-crlf"), ("--private",), ("--form", "der")]
)
def test_bytes_and_secrets_go_into_a_file_that_is_named(cli, package, words):
    status, out, err = cli("key", "export", "default", *words)
    assert (status, out) == (2, "")
    assert "U001" in err


def test_no_form_is_taken_that_there_is_not(package):
    with pytest.raises(Exception, match="no such form") as caught:
        keys.export_key(keys.ExportRequest("default", "x", form="der"))
    assert caught.value.diagnostics[0].code is Code.USAGE


def test_the_answer_holds_nothing_of_a_private_half(cli, package):
    status, out, _ = cli("key", "export", "default", "--private", "-o", "k.key", "--json")
    assert status == 0
    assert "PUBLIC KEY" in json.loads(out)["result"]["pem"]
    assert "PRIVATE" not in out
    body = (package.parent / "k.key").read_text().split("\n")[1]
    assert body not in out


def test_a_private_half_that_is_not_there_or_that_would_replace_a_file_is_refused(cli, package):
    cli("key", "export", "default", "-o", "me.pub")
    cli("key", "import", "me.pub", "half")
    assert cli("key", "export", "half", "--private", "-o", "k.key")[0] == 4
    assert cli("key", "export", "default", "--private", "-o", "me.pub")[0] == 8
    assert not os.path.exists("k.key")


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf-----BEGIN PUBLIC KEY-----\r\n",
        bytes(31),
        bytes(33),
        bytes(32),
        b"\x01" + bytes(31),
        b"\xff" * 32,
        b"",
    ],
    ids=["BOM", "31", "33", "zeros", "neutral", "beyond", "empty"],
)
def test_a_raw_key_that_proves_nothing_is_never_imported(cli, package, data):
    (package.parent / "bad.pub").write_bytes(data)
    status, _, err = cli("key", "import", "bad.pub", "bad", "--raw-public")
    assert status == 4
    assert "S005" in err


def test_a_pem_with_a_byte_order_mark_is_the_key_that_it_is_without(cli, package):
    """Editors on Windows write one, and nothing else can be meant."""
    cli("key", "export", "default", "--form", "pem-crlf", "-o", "me.pub")
    there = package.parent / "me.pub"
    _, own, _ = cli("key", "show", "me.pub", "--json")
    there.write_bytes(b"\xef\xbb\xbf" + there.read_bytes())
    status, marked, _ = cli("key", "show", "me.pub", "--json")
    assert (status, marked) == (0, own)
