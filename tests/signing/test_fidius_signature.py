"""``package.sig``: the digest of a tree, what it leaves out, and when a signature counts."""

import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, FileProblem, NotTrusted, Refused
from cloacina_ctl.files.staging import unnamed_file
from cloacina_ctl.operations.results import signature_view
from cloacina_ctl.signing.fidius_signature import (
    OutOfOrder,
    SpooledTreeDigest,
    TreeDigest,
    check_signature,
    check_tree_signature,
    rides_along,
    sign_tree,
    unsigned_members,
)
from cloacina_ctl.signing.keys import PrivateKey
from cloacina_ctl.signing.policy import Requirement, require_signatures
from cloacina_ctl.signing.signatures import KnownKey, SignatureStatus

KEY = PrivateKey.from_raw(bytes(range(32)))
OTHER = PrivateKey.from_raw(bytes([7]) * 32)
KNOWN = (KnownKey(OTHER.public, "bob"), KnownKey(KEY.public, "ada"))
TREE = {
    "package.toml": (
        b'[package]\nname = "demo"\nversion = "0.1.0"\ninterface = "cloacina-workflow-plugin"\n'
        b'interface_version = 1\n\n[metadata]\nlanguage = "python"\n'
    ),
    "workflow/demo/tasks.py": b"import cloaca\n",
}
IGNORED = {"package.sig": b"x", "target/a": b"x", ".git/HEAD": b"x"}
GOLDEN_DIGEST = "ae987060a8dc2b75acaf2212788cba7d5a392ba3b57d5c2f7989d2ab6f4346d7"
GOLDEN_SIGNATURE = bytes.fromhex(
    "3c13a13aed24269c162b2a69a86f2593de554c614521e44a46eaa728a6a7bcdd"
    "5176bdca11c63afc45e660740e4ce1102f5eefaf57acbe5a22096be560418c0e"
)


def fed(into, files, piece=1 << 16):
    for path, content in files:
        into.begin(path, len(content))
        for start in range(0, len(content), piece):
            into.feed(content[start : start + piece])
    return into.digest()


def streamed(tree):
    return fed(TreeDigest(), sorted(tree.items()))


@pytest.fixture
def spool(tmp_path):
    fd = unnamed_file(str(tmp_path))
    yield lambda files: fed(SpooledTreeDigest(fd, tmp_path), files)
    os.close(fd)


def test_the_digest_and_the_signature_are_the_ones_of_upstream():
    digest = streamed({**TREE, **IGNORED})
    assert digest == GOLDEN_DIGEST
    assert sign_tree(digest, KEY) == GOLDEN_SIGNATURE


def test_files_in_any_order_have_the_same_digest_when_they_are_kept(spool):
    files = {**IGNORED, **TREE, "a": b"", "z" * 300: bytes(3 << 20)}
    assert spool(sorted(files.items(), reverse=True)) == streamed(files)


def test_files_out_of_order_are_told_and_never_hashed_wrongly():
    digest = TreeDigest()
    digest.begin("b", 0)
    digest.begin("target/a", 0)  # what does not count comes whenever it likes
    for path in ("a", "b"):
        with pytest.raises(OutOfOrder):
            digest.begin(path, 0)


def test_the_order_is_that_of_the_bytes_and_not_of_the_folders():
    """A dot and a hyphen come before the slash: `a-b`, `a.b`, then `a/b`."""
    digest = streamed({"a/b": b"1", "a.b": b"2", "a-b": b"3", "é": b"4", "\U0001f600": b"5"})
    parts = [("a-b", b"3"), ("a.b", b"2"), ("a/b", b"1"), ("é", b"4"), ("\U0001f600", b"5")]
    expected = hashlib.sha256()
    for path, content in parts:
        name = path.encode()
        expected.update(len(name).to_bytes(8, "little") + name)
        expected.update(len(content).to_bytes(8, "little") + content)
    assert digest == expected.hexdigest()


NAMES = st.text("ab./-é", min_size=1, max_size=6)


@given(st.dictionaries(NAMES, st.binary(max_size=20), max_size=5), st.data())
def test_another_tree_has_another_digest(tree, data):
    counted = {path: content for path, content in tree.items() if not rides_along(path)}
    digest = streamed(tree)
    assert digest == streamed(counted)
    if counted:
        path = data.draw(st.sampled_from(sorted(counted)))
        content = counted.pop(path)
        others = [{**counted, path: content + b"x"}, counted, {**counted, path + "x": content}]
        assert digest not in map(streamed, others)


@pytest.mark.parametrize(
    ("path", "rides"),
    [
        ("package.sig", True),
        ("deep/down/x.so.sig", True),
        (".sig", True),
        ("x.sig.txt", False),
        ("target/release/build.rs", True),
        ("crates/a/target/x", True),
        (".git/HEAD", True),
        ("vendor/.git/config", True),
        ("target", False),
        (".git", False),
        (".gitignore", False),
        ("targets/x", False),
        ("src/target.rs", False),
        ("Target/x", False),
    ],
)
def test_what_rides_along_unsigned(path, rides):
    assert rides_along(path) is rides
    assert unsigned_members([path]) == ((path,) if rides and path != "package.sig" else ())


@pytest.mark.parametrize("kind", [TreeDigest, lambda: SpooledTreeDigest(-1, "x")])
def test_a_name_with_a_backslash_is_refused_because_upstream_hashes_another_file(kind):
    with pytest.raises(Refused) as caught:
        kind().begin("a\\b", 1)
    assert caught.value.diagnostics[0].code is Code.MEMBER_NAME


def test_a_disk_that_takes_no_more_is_reported(tmp_path):
    fd = os.open("/dev/full", os.O_RDWR)
    kept = SpooledTreeDigest(fd, "/dev/full")
    kept.begin("a", 1)
    with pytest.raises(FileProblem) as caught:
        kept.feed(b"x")
    os.close(fd)
    assert caught.value.diagnostics[0].code is Code.NO_SPACE


@pytest.mark.parametrize("size", [0, 63, 65, 128])
def test_a_signature_has_64_bytes(size):
    with pytest.raises(Refused) as caught:
        check_signature(bytes(size), where="package.sig")
    assert caught.value.diagnostics[0].code is Code.BAD_SIDECAR
    assert check_signature(GOLDEN_SIGNATURE, where="x") == GOLDEN_SIGNATURE


def judge(signature=GOLDEN_SIGNATURE, digest=GOLDEN_DIGEST, known=KNOWN, members=()):
    return check_tree_signature(signature, Digest(digest), known, members)


def test_a_signature_by_a_trusted_key_counts_whichever_of_the_known_ones_it_is():
    judged = judge(members=[*TREE, "package.sig"])
    assert (judged.status, judged.name) == (SignatureStatus.TRUSTED, "ada")
    assert require_signatures([judged], Requirement(), where="x") == (KEY.public.fingerprint,)
    view = signature_view(judged)
    assert view.scheme == "package.sig"
    assert "target" in " ".join(view.leaves_out)
    assert "modes" in " ".join(view.leaves_out)


def test_a_key_that_is_known_and_not_trusted_does_not_count():
    judged = judge(known=[KnownKey(KEY.public, trusted=False)])
    assert (judged.status, judged.reason) == (SignatureStatus.VALID, None)


def test_a_signature_by_no_known_key_names_nobody_and_counts_for_nothing():
    for judged in (judge(known=()), judge(known=KNOWN[:1]), judge(digest="0" * 64)):
        assert (judged.status, judged.keyid) == (SignatureStatus.UNKNOWN_KEY, "")
        assert judged.reason
        assert "keyid" not in signature_view(judged).to_json()
        with pytest.raises(NotTrusted) as caught:
            require_signatures([judged], Requirement(), where="x")
        (found,) = caught.value.diagnostics
        assert found.code is Code.NO_TRUSTED_SIGNER
        assert "a key that it does not name" in found.message
        assert require_signatures([judged], Requirement(allow_unsigned=True), where="x") == ()


def test_no_flipped_bit_of_the_signature_holds():
    for bit in range(512):
        flipped = bytearray(GOLDEN_SIGNATURE)
        flipped[bit // 8] ^= 1 << bit % 8
        assert judge(bytes(flipped)).status is SignatureStatus.UNKNOWN_KEY


@pytest.mark.parametrize(
    ("members", "named"),
    [
        (["target/a"], "it does not cover a file: target/a"),
        (["a.sig", ".git/x"], "it does not cover 2 files: a.sig, .git/x"),
        (
            [f"target/{n}" for n in range(9)],
            "it does not cover 9 files: target/0, target/1, target/2 and 6 more",
        ),
    ],
)
def test_a_signature_vouches_for_no_package_with_files_that_it_does_not_cover(members, named):
    judged = judge(members=[*TREE, "package.sig", *members])
    assert (judged.status, judged.reason) == (SignatureStatus.VALID, named)
    with pytest.raises(NotTrusted) as caught:
        require_signatures([judged], Requirement(), where="x")
    (found,) = caught.value.diagnostics
    assert found.code is Code.NO_TRUSTED_SIGNER
    assert named in found.message
    assert require_signatures([judged], Requirement(allow_unsigned=True), where="x") == ()
