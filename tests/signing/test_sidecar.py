"""The sidecar of the other generations: its one form, and when it holds."""

import base64
import json
import os
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, FileProblem, NotTrusted, Refused, UsageError
from cloacina_ctl.operations.results import signature_view
from cloacina_ctl.signing.keys import PrivateKey
from cloacina_ctl.signing.policy import Requirement, require_signatures
from cloacina_ctl.signing.schemes import SIDECAR
from cloacina_ctl.signing.sidecar import (
    MAX_SIDECAR,
    check_sidecar_signature,
    find_sidecar,
    make_sidecar,
    parse_sidecar,
    read_sidecar,
    sidecar_path,
)
from cloacina_ctl.signing.signatures import KnownKey, SignatureStatus, check_signed_subjects
from cloacina_ctl.signing.statement import Subject
from tests.signing import points

KEY = PrivateKey.from_raw(bytes(range(32)))
OTHER = PrivateKey.from_raw(bytes([7]) * 32)
KNOWN = (KnownKey(KEY.public, "ada"),)
DIGEST = Digest.of(b"hello cloacina\n")
WHEN = "2026-01-02T03:04:05Z"
GOLDEN = (
    b'{\n  "version": 1,\n  "algorithm": "ed25519",\n'
    b'  "package_hash": "f73cec318ea0519264aa5b2e1c7f6389cac023b701c8b2d49eeaf6c5ed48f694",\n'
    b'  "key_fingerprint": "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c",\n'
    b'  "signature": "PeN3nLpLmJC1YBpk+yantiHBUdHk727pqgCXZQiSPx2Nc1XformkjwyNGZuWcUYO7o1gzMBRpxHP2'
    b'XNL57uSCQ==",\n  "signed_at": "2026-01-02T03:04:05+00:00"\n}'
)


def parse(data=GOLDEN):
    return parse_sidecar(data, where="x.cloacina.sig")


def spelled(**changes):
    """The golden sidecar with other values; a key whose value is None goes."""
    value = {**json.loads(GOLDEN), **changes}
    return json.dumps({key: one for key, one in value.items() if one is not None}).encode()


def refusal(data):
    with pytest.raises(Refused) as caught:
        parse(data)
    (found,) = caught.value.diagnostics
    assert (found.code, found.where) == (Code.BAD_SIDECAR, "x.cloacina.sig")
    assert found.hint
    assert "\n" not in found.message
    assert len(found.message) < 140
    return found.message


def judge(data=GOLDEN, known=KNOWN, digest=DIGEST):
    return check_sidecar_signature(parse(data), digest, known)


def test_a_sidecar_is_byte_for_byte_the_one_of_upstream():
    assert make_sidecar(DIGEST, KEY, WHEN) == GOLDEN


def test_a_sidecar_that_is_made_now_says_so():
    assert abs(time.time() - _seconds(parse(make_sidecar(DIGEST, KEY)).signed_at)) < 10


def _seconds(text):
    return time.mktime(time.strptime(text, "%Y-%m-%dT%H:%M:%S+00:00")) - time.timezone


def test_no_sidecar_is_made_with_a_time_that_is_none():
    with pytest.raises(UsageError):
        make_sidecar(DIGEST, KEY, "yesterday")


@given(st.binary(min_size=32, max_size=32), st.binary(), st.integers(0, 4102444799))
def test_what_is_made_is_read_and_holds(seed, content, when):
    key, digest = PrivateKey.from_raw(seed), Digest.of(content)
    made = make_sidecar(digest, key, time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when)))
    read = parse(made)
    assert (read.digest, read.keyid) == (digest, key.public.fingerprint)
    judged = check_sidecar_signature(read, digest, (KnownKey(key.public),))
    assert judged.status is SignatureStatus.TRUSTED
    assert parse(json.dumps(json.loads(made), sort_keys=True).encode()) == read


@pytest.mark.parametrize(
    "when",
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.123456789+00:00",
        "2026-01-02T03:04:05.1Z",
        "2026-01-02T03:04:05-12:30",
    ],
)
def test_every_time_that_upstream_writes_is_read(when):
    assert parse(spelled(signed_at=when)).signed_at == when


def test_keys_that_upstream_ignores_are_ignored_and_so_are_line_ends_and_order():
    assert parse(spelled(comment="x", nested={"a": [1.5, None]})) == parse()
    assert parse(GOLDEN.replace(b"\n", b"\r\n") + b"\r\n") == parse()
    assert parse(json.dumps(dict(reversed(json.loads(GOLDEN).items()))).encode()) == parse()


B64 = json.loads(GOLDEN)["signature"]
FORMS = {
    "empty": (b"", "not JSON"),
    "zeros": (bytes(400), "not JSON"),
    "text": (b"signed by me", "not JSON"),
    "null": (b"null", "no JSON object"),
    "a list": (b"[" + GOLDEN + b"]", "no JSON object"),
    "deep": (b"[" * 30_000, "not JSON"),
    "two objects": (GOLDEN + GOLDEN, "not JSON"),
    "cut short": (GOLDEN[:-1], "not JSON"),
    "a byte order mark": (b"\xef\xbb\xbf" + GOLDEN, "byte order mark"),
    "UTF-16": (GOLDEN.decode().encode("utf-16"), "not JSON"),
    "latin-1": (GOLDEN.replace(b"ed25519", b"\xe9d25519"), "not JSON"),
    "NaN": (GOLDEN.replace(b'": 1', b'": NaN'), "not JSON"),
    "a key twice": (GOLDEN.replace(b'"version": 1', b'"version": 1, "version": 1'), "twice"),
    "a key twice inside": (spelled(x=1).replace(b'"x": 1', b'"x": {"a": 1, "a": 1}'), "twice"),
    "a key twice, once escaped": (
        GOLDEN.replace(b'"version": 1', b'"version": 1, "v\\u0065rsion": 2'),
        "twice",
    ),
    "too large": (GOLDEN + b" " * MAX_SIDECAR, "more than"),
    "a package": (b"BZh91AY&SY" + bytes(90), "not JSON"),
    "version 2": (spelled(version=2), "version 1, found: 2"),
    "version true": (spelled(version=True), "version 1, found: true"),
    "version 1.0": (spelled(version=1.0), "version 1, found: 1.0"),
    "version a text": (spelled(version="1"), 'version 1, found: "1"'),
    "version without end": (GOLDEN.replace(b'": 1,', b'": ' + b"1" * 9000 + b","), "version 1"),
    "algorithm none": (spelled(algorithm="none"), 'found: "none"'),
    "algorithm ed25519ph": (spelled(algorithm="ed25519ph"), "algorithm"),
    "algorithm in capitals": (spelled(algorithm="Ed25519"), "algorithm"),
    "algorithm a list": (spelled(algorithm=["ed25519"]), "an object or a list"),
    "hash in capitals": (spelled(package_hash=str(DIGEST).upper()), "lower-case"),
    "hash too short": (spelled(package_hash=str(DIGEST)[:-1]), "64 lower-case"),
    "hash a number": (spelled(package_hash=7), "64 lower-case"),
    "hash with a line end": (spelled(package_hash=str(DIGEST) + "\n"), "64 lower-case"),
    "fingerprint in capitals": (spelled(key_fingerprint="AB" * 32), "`key_fingerprint`"),
    "fingerprint short": (spelled(key_fingerprint="56475aa7"), "`key_fingerprint`"),
    "signature a number": (spelled(signature=1), "standard spelling"),
    "signature empty": (spelled(signature=""), "64 bytes, this one 0"),
    "signature without padding": (spelled(signature=B64.rstrip("=")), "not base64"),
    "signature with a space": (spelled(signature=B64 + " "), "not base64"),
    "signature with a line end": (spelled(signature=B64[:40] + "\n" + B64[40:]), "not base64"),
    "signature for URLs": (spelled(signature=B64.replace("+", "-")), "not base64"),
    "signature with other bits": (spelled(signature=B64[:-3] + "R=="), "standard spelling"),
    "signature not ASCII": (spelled(signature="é" + B64[1:]), "not base64"),
    "signature of 63 bytes": (spelled(signature=base64.b64encode(bytes(63)).decode()), "one 63"),
    "signature of 65 bytes": (spelled(signature=base64.b64encode(bytes(65)).decode()), "one 65"),
    "time a number": (spelled(signed_at=1), "RFC 3339"),
    "time without zone": (spelled(signed_at="2026-01-02T03:04:05"), "RFC 3339"),
    "time of no calendar": (spelled(signed_at="2026-02-30T03:04:05Z"), "RFC 3339"),
    "time and a terminal": (spelled(signed_at="2026-01-02T03:04:05Z\x1b[2J"), "RFC 3339"),
}
FORMS.update({f"no {key}": (spelled(**{key: None}), key) for key in json.loads(GOLDEN)})


@pytest.mark.parametrize("name", FORMS)
def test_refuses_a_sidecar_of_any_other_form(name):
    data, said = FORMS[name]
    assert said in refusal(data)


@given(st.binary(max_size=500))
def test_whatever_stands_there_is_read_or_refused(data):
    with pytest.raises(Refused):
        parse(data)


def test_a_signature_by_a_trusted_key_is_trusted_and_by_a_known_one_valid():
    judged = judge()
    assert (judged.status, judged.name, judged.keyid) == (
        SignatureStatus.TRUSTED,
        "ada",
        KEY.public.fingerprint,
    )
    assert judge(known=[KnownKey(KEY.public, trusted=False)]).status is SignatureStatus.VALID
    assert judge(known=[KnownKey(OTHER.public)]).status is SignatureStatus.UNKNOWN_KEY
    assert require_signatures([judged], Requirement(), where="x") == (judged.keyid,)


def test_the_time_is_claimed_and_never_signed():
    judged = judge()
    assert judged.signed_at is None
    view = signature_view(judged).to_json()
    assert view["claimed"] == {"signed_at": "2026-01-02T03:04:05+00:00"}
    assert "signed_at" not in view
    assert judge(spelled(signed_at="1999-01-01T00:00:00Z")).status is SignatureStatus.TRUSTED


def test_the_answer_says_what_is_covered_and_what_is_not():
    view = signature_view(judge())
    assert (view.scheme, view.covers) == ("sidecar", "every byte of the file")
    assert view.leaves_out == SIDECAR.leaves_out
    assert any("time" in one for one in view.leaves_out)
    assert any("name" in one for one in view.leaves_out)


def test_the_sidecar_of_another_file_is_invalid_under_a_known_key_and_never_excused():
    judged = judge(digest=Digest.of(b"another"))
    assert (judged.status, judged.reason) == (
        SignatureStatus.INVALID,
        "it is the signature of another file",
    )
    for requirement in (Requirement(), Requirement(allow_unsigned=True)):
        with pytest.raises(NotTrusted) as caught:
            require_signatures([judged], requirement, where="x")
        assert caught.value.diagnostics[0].code is Code.BAD_SIGNATURE
    stranger = judge(digest=Digest.of(b"another"), known=())
    assert (stranger.status, stranger.reason) == (SignatureStatus.UNKNOWN_KEY, judged.reason)


def test_no_flipped_bit_of_hash_fingerprint_or_signature_is_trusted():
    good = parse()
    for bit in range(512):
        sig = bytearray(good.sig)
        sig[bit // 8] ^= 1 << bit % 8
        judged = check_sidecar_signature(good._replace(sig=bytes(sig)), DIGEST, KNOWN)
        assert judged.status is SignatureStatus.INVALID
    for bit in range(256):
        raw = bytearray.fromhex(good.keyid)
        raw[bit // 8] ^= 1 << bit % 8
        judged = check_sidecar_signature(good._replace(keyid=raw.hex()), DIGEST, KNOWN)
        assert judged.status is SignatureStatus.UNKNOWN_KEY
        raw = bytearray.fromhex(DIGEST)
        raw[bit // 8] ^= 1 << bit % 8
        for one in (good, good._replace(digest=Digest(raw.hex()))):
            assert (
                check_sidecar_signature(one, Digest(raw.hex()), KNOWN).status
                is SignatureStatus.INVALID
            )


def resigned(message):
    return spelled(signature=base64.b64encode(KEY.sign(message)).decode())


@pytest.mark.parametrize(
    "message",
    [
        b"hello cloacina\n",
        str(DIGEST).encode(),
        bytes.fromhex(DIGEST) + b"\n",
        b"DSSEv1 0  32 " + bytes.fromhex(DIGEST),
        bytes.fromhex(DIGEST)[::-1],
    ],
    ids=["the file", "its hash in hex", "a line end", "an envelope", "backwards"],
)
def test_a_signature_over_anything_but_the_32_bytes_does_not_match(message):
    judged = judge(resigned(message))
    assert (judged.status, judged.reason) == (
        SignatureStatus.INVALID,
        "the signature does not match",
    )


def test_a_signature_with_an_s_beyond_the_order_or_an_r_of_small_order_does_not_match():
    sig = parse().sig
    s = int.from_bytes(sig[32:], "little") + 2**252 + 27742317777372353535851937790883648493
    beyond = sig[:32] + s.to_bytes(32, "little")
    assert (
        judge(spelled(signature=base64.b64encode(beyond).decode())).status
        is SignatureStatus.INVALID
    )
    for r in points.small_order_encodings():
        forged = base64.b64encode(r + bytes(32)).decode()
        assert judge(spelled(signature=forged)).status is SignatureStatus.INVALID


def test_the_signature_of_another_key_under_this_ones_fingerprint_does_not_match():
    sig = base64.b64encode(OTHER.sign(bytes.fromhex(DIGEST))).decode()
    assert judge(spelled(signature=sig)).status is SignatureStatus.INVALID
    claimed = judge(spelled(key_fingerprint=OTHER.public.fingerprint))
    assert claimed.status is SignatureStatus.UNKNOWN_KEY


def test_what_a_native_head_says_does_not_concern_a_sidecar():
    judged = judge()
    subject = Subject("other", "9", Digest.of(b""), "sha256:" + "0" * 64)
    assert check_signed_subjects([judged], subject) == (judged,)


def test_a_sidecar_is_found_beside_its_package_or_there_is_none(tmp_path):
    package = str(tmp_path / "x.cloacina")
    assert find_sidecar(package) is None
    (tmp_path / "x.cloacina.sig").write_bytes(GOLDEN)
    assert find_sidecar(package) == parse()
    assert sidecar_path(package) == str(tmp_path / "x.cloacina.sig")


def test_a_link_is_followed_and_one_to_nothing_is_no_missing_sidecar(tmp_path):
    link = tmp_path / "x.cloacina.sig"
    link.symlink_to(tmp_path / "there")
    with pytest.raises(FileProblem) as caught:
        find_sidecar(str(tmp_path / "x.cloacina"))
    assert caught.value.diagnostics[0].code is Code.NOT_FOUND
    (tmp_path / "there").write_bytes(GOLDEN)
    assert find_sidecar(str(tmp_path / "x.cloacina")) == parse()


def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("fifo")
    os.mkdir("folder")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket")
        for path in ("fifo", "folder", "/dev/zero", "socket"):
            with pytest.raises(FileProblem) as caught:
                read_sidecar(path)
            assert caught.value.diagnostics[0].code is Code.NOT_REGULAR


def test_a_gigabyte_is_refused_by_its_first_bytes(tmp_path):
    path = tmp_path / "large.sig"
    path.write_bytes(GOLDEN)
    os.truncate(path, 1 << 30)
    before = time.monotonic()
    with pytest.raises(Refused):
        read_sidecar(str(path))
    assert time.monotonic() - before < 1
