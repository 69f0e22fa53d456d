"""`verify` and `unpack`: the same rule as for native packages, sidecar and `package.sig`."""

from __future__ import annotations

import json
import os

import pytest

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import UsageError
from cloacina_ctl.operations import keys
from cloacina_ctl.operations.unpack import unpack
from cloacina_ctl.signing.fidius_signature import TreeDigest, sign_tree
from cloacina_ctl.signing.resolve import find_private
from cloacina_ctl.signing.sidecar import make_sidecar
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support import archives
from tests.support.json_schemas import judge
from tests.support.legacy import PROVIDER, RUST, source, v1, v2

EVERY = {
    "v1": v1(), "v2": v2(), "source": source(), "provider": source(PROVIDER, "files-0.1.0"),
}  # fmt: skip


@pytest.fixture
def key(config):
    """The key `default` of the user, whose signatures count."""
    keys.generate_key()
    return find_private("default", str(config))


def beside(path, key, data=None):
    digest = Digest.of(path.read_bytes() if data is None else data)
    sidecar = path.with_name(path.name + ".sig")
    sidecar.write_bytes(make_sidecar(digest, key))
    return sidecar


@pytest.mark.parametrize("kind", EVERY)
def test_whole_and_signed_by_a_known_key(cli, place, key, kind):
    path = place(EVERY[kind])
    beside(path, key)
    said = cli("verify", "x.cloacina", "--json")
    judge(json.loads(said.out))
    assert said.status == 0
    assert said.result["format"] == kind
    assert said.result["trusted_signers"] == [key.public.fingerprint]
    (signature,) = said.result["signatures"]
    assert signature["covers"] == "every byte of the file"
    assert signature["leaves_out"]
    told = cli("verify", "x.cloacina").out
    assert "all digests match" in told
    assert "covers every byte of the file" in told
    unpacked = cli("unpack", "x.cloacina", "-o", "there", "--json")
    judge(json.loads(unpacked.out))
    assert unpacked.result["format"] == kind
    assert sorted(unpacked.result["files"]) == sorted(
        str(one.relative_to(path.parent / "there"))
        for one in (path.parent / "there").rglob("*")
        if one.is_file()
    )


@pytest.mark.parametrize("kind", EVERY)
def test_unsigned_is_whole_and_not_taken(cli, place, kind, tmp_path):
    place(EVERY[kind])
    said = cli("verify", "x.cloacina")
    assert said.status == 4
    assert "the content is whole, but the package is not signed" in said.err
    assert cli("unpack", "x.cloacina", "-o", "there").status == 4
    assert os.listdir(tmp_path) == ["x.cloacina"]
    assert cli("verify", "x.cloacina", "--allow-unsigned").status == 0
    assert cli("unpack", "x.cloacina", "-o", "there", "--allow-unsigned").status == 0


def test_a_sidecar_elsewhere_is_named(cli, place, key, tmp_path):
    path = place(source())
    beside(path, key).rename(tmp_path / "other.sig")
    assert cli("verify", "x.cloacina").status == 4
    assert cli("verify", "x.cloacina", "--signature", "other.sig").status == 0
    assert cli("unpack", "x.cloacina", "-o", "there", "--signature", "other.sig").status == 0
    assert cli("verify", "x.cloacina", "--signature", "absent.sig").status == 8


BAD_SIDECARS = {
    "for another file": (4, lambda path, key: beside(path, key, b"other")),
    "malformed": (3, lambda path, key: beside(path, key).write_bytes(b"{}")),
    "empty": (3, lambda path, key: beside(path, key).write_bytes(b"")),
    "deep": (3, lambda path, key: beside(path, key).write_bytes(b"[" * 60_000)),
    "huge": (3, lambda path, key: beside(path, key).write_bytes(b" " * (20 << 20))),
    "a folder": (8, lambda path, key: path.with_name("x.cloacina.sig").mkdir()),
    "a FIFO": (8, lambda path, key: os.mkfifo(path.with_name("x.cloacina.sig"))),
}


@pytest.mark.parametrize("name", BAD_SIDECARS)
def test_a_bad_sidecar_is_never_nothing(cli, place, key, name, tmp_path):
    status, make = BAD_SIDECARS[name]
    path = place(source())
    make(path, key)
    for words in (
        ("verify", "x.cloacina"), ("verify", "x.cloacina", "--allow-unsigned"),
        ("unpack", "x.cloacina", "-o", "there", "--allow-unsigned"),
    ):  # fmt: skip
        said = cli(*words)
        assert said.status == status
        assert len(said.err.splitlines()) == 1
    assert not (tmp_path / "there").exists()
    assert cli("validate", "x.cloacina").status == 1


def test_a_sidecar_by_a_stranger_vouches_for_nothing(cli, place, key, tmp_path):
    path = place(source())
    keys.generate_key("stranger")
    stranger = find_private("stranger", os.environ["CLOACINA_CTL_CONFIG_DIR"])
    keys.remove_key("stranger", forget=True)
    beside(path, stranger)
    said = cli("verify", "x.cloacina")
    assert said.status == 4
    assert "no trusted key has signed it" in said.err
    assert cli("verify", "x.cloacina", "--allow-unsigned").status == 0


def test_pins_hold(cli, place, key):
    path = place(source())
    beside(path, key)
    content = "sha256:" + Digest.of(path.read_bytes())
    good = ("--name", "demo", "--version", "1.0.0", "--content", content)
    assert cli("verify", "x.cloacina", *good).status == 0
    for pin in (("--name", "x"), ("--version", "2"), ("--content", "sha256:" + "0" * 64)):
        assert cli("verify", "x.cloacina", *pin).status == 4
        assert cli("unpack", "x.cloacina", "-o", "there", *pin).status == 4
    assert cli("verify", "x.cloacina", "--threshold", "2").status == 4


def tree_signature(files, key):
    digest = TreeDigest()
    for path in sorted(files):
        digest.begin(path, len(files[path]))
        digest.feed(files[path])
    return sign_tree(digest.digest(), key)


def test_a_package_sig_vouches_for_what_it_covers(cli, place, key, tmp_path):
    files = {**RUST, "package.sig": tree_signature(RUST, key)}
    place(source(dict(sorted(files.items()))))
    said = cli("verify", "x.cloacina", "--json")
    assert said.status == 0
    assert said.result["signatures"][0]["scheme"] == "package.sig"
    assert cli("unpack", "x.cloacina", "-o", "there").status == 0
    place(source({**files, "target/x": b"rides along"}), "y.cloacina")
    said = cli("verify", "y.cloacina")
    assert said.status == 4
    assert "does not cover a file" in said.err
    changed = {**files, "src/lib.rs": b"mod other;\n"}
    place(source(changed), "z.cloacina")
    assert cli("verify", "z.cloacina").status == 4
    assert cli("unpack", "z.cloacina", "-o", "z").status == 4
    assert not (tmp_path / "z").exists()
    place(source({**RUST, "package.sig": b"short"}), "w.cloacina")
    assert cli("verify", "w.cloacina", "--allow-unsigned").status == 3


def test_a_native_package_has_no_sidecar(cli, place, tmp_path):
    from tests.support.builder import build

    place(build())
    said = cli("verify", "x.cloacina", "--signature", "x.sig", "--allow-unsigned")
    assert said.status == 2
    assert "no sidecar" in said.err
    assert cli("unpack", "x.cloacina", "-o", "there", "--signature", "x.sig").status == 2


def test_some_members_alone(cli, place, tmp_path):
    place(source())
    words = ("unpack", "x.cloacina", "-o", "there", "--allow-unsigned")
    assert cli(*words, "--members", "*.zip").status == 3
    assert not (tmp_path / "there").exists()
    assert cli(*words, "--partial").status == 2
    said = cli(*words, "--members", "workflow/", "--json")
    assert said.result["complete"] is False
    assert sorted(said.result["files"]) == ["workflow/demo/__init__.py", "workflow/demo/tasks.py"]


def test_modes_are_0644_or_0755_and_nothing_is_overwritten(cli, place, tmp_path):
    stream = archives.source_tar()[: -len(archives.END)]
    stream += archives.entry("demo-1.0.0/run.sh", b"#!/bin/sh\n", mode=b"0004755\0")
    stream += archives.entry("demo-1.0.0/closed", b"x", mode=b"0000000\0") + archives.END
    place(archives.bz2(stream))
    words = ("unpack", "x.cloacina", "-o", "there", "--allow-unsigned")
    assert cli(*words).status == 0
    modes = {name: (tmp_path / "there" / name).stat().st_mode for name in ("run.sh", "closed")}
    assert modes == {"run.sh": 0o100755, "closed": 0o100644}
    assert cli(*words).status == 8


@pytest.mark.parametrize("name", ["../evil", "a/b", "x\ny"])
def test_a_name_that_leads_elsewhere_makes_no_folder(tmp_path, monkeypatch, name):
    """Other generations bound no name, and without --output it would be a path."""
    manifest = archives.v1_manifest()
    manifest["package"]["name"] = name
    below = tmp_path / "below"
    below.mkdir()
    (below / "x").write_bytes(archives.gz(archives.v1_tar(manifest)))
    monkeypatch.chdir(below)
    with pytest.raises(UsageError, match="are not valid as the name of a folder"):
        unpack("x", rule=VerificationPolicy(allow_unsigned=True))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["below", "x"]
    manifest["package"]["name"] = "demo"
    (below / "x").write_bytes(archives.gz(archives.v1_tar(manifest)))
    assert unpack("x", rule=VerificationPolicy(allow_unsigned=True)).destination == "demo-1.0.0"
    assert (below / "demo-1.0.0" / "manifest.json").is_file()
