"""Docs/format.md, 2: the form of envelopes and of what they say."""

from __future__ import annotations

import base64
import hashlib

import pytest

from cloacina_ctl.dsse import PAYLOAD_TYPE, pae
from cloacina_ctl.errors import NotTrusted
from cloacina_ctl.operations.sign import SignRequest, sign
from cloacina_ctl.signing.keys import PrivateKey, PublicKey
from tests.support.builder import Recipe, build, make
from tests.support.envelopes import (
    ALICE,
    BOB,
    envelope,
    keyid,
    pre_authentication,
    public_key,
)

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493


def spoiled(change):
    """Return a package whose one envelope, of a key that nobody knows, was changed."""

    def patch(envelopes):
        made = dict(envelopes[0])
        return [change(made) or made]

    return build(signers=(BOB,), envelopes_patch=patch)


def of_signature(**fields):
    """Return a change of the one signature of an envelope."""

    def change(made):
        both = {**made["signatures"][0], **fields}
        kept = {key: value for key, value in both.items() if value is not None}
        return {**made, "signatures": [kept]}

    return change


def without(*names):
    return lambda made: {key: value for key, value in made.items() if key not in names}


def more(**fields):
    return lambda made: {**made, **fields}


SIG = base64.b64encode(bytes(range(192, 256))).decode()
FORMS = {
    "no payload": without("payload"),
    "no type": without("payloadType"),
    "no signatures": without("signatures"),
    "another key": more(cert="x"),
    "another type": more(payloadType="application/json"),
    "no signature": more(signatures=[]),
    "two signatures": lambda made: more(signatures=made["signatures"] * 2)(made),
    "no keyid": of_signature(keyid=None),
    "no sig": of_signature(sig=None),
    "a third key": of_signature(cert="x"),
    "upper case keyid": of_signature(keyid=keyid(BOB).upper()),
    "short keyid": of_signature(keyid=keyid(BOB)[:63]),
    "keyid with its kind": of_signature(keyid="sha256:" + keyid(BOB)),
    "number as keyid": of_signature(keyid=1),
    "short signature": of_signature(sig=base64.b64encode(bytes(63)).decode()),
    "long signature": of_signature(sig=base64.b64encode(bytes(65)).decode()),
    "number as payload": more(payload=1),
}
SPELLINGS = {
    "without padding": SIG.rstrip("="),
    "too much padding": SIG + "=",
    "URL-safe": SIG.replace("+", "-").replace("/", "_"),
    "line feed at the end": SIG + "\n",
    "white space": SIG[:40] + " " + SIG[40:],
    "bits that are lost": SIG[:-3] + chr(ord(SIG[-3]) + 1) + "==",
    "text": "!" + SIG[1:],
    "not ASCII": "é" + SIG[1:],
}


@pytest.mark.parametrize("name", FORMS)
def test_f8_an_envelope_of_any_other_form_is_refused(judge, name):
    assert judge.refuses(spoiled(FORMS[name])) == {"A006"}


@pytest.mark.parametrize("name", sorted(SPELLINGS))
def test_f8_base64_has_one_spelling(judge, name):
    text = SPELLINGS[name]
    assert text != SIG
    assert judge.refuses(spoiled(of_signature(sig=text))) == {"A006"}
    assert judge.refuses(spoiled(more(payload=text))) == {"A006"}


def test_f8_the_keyid_is_the_sha256_of_the_raw_public_key():
    key = PrivateKey.from_raw(ALICE).public
    assert key.fingerprint == hashlib.sha256(key.raw).hexdigest() == keyid(ALICE)


def test_f9_a_signature_is_over_the_pre_authentication_encoding():
    payload = "naïve\n".encode()
    assert pae(PAYLOAD_TYPE, payload) == pre_authentication(PAYLOAD_TYPE, payload)
    assert pae("a", b"bc") == b"DSSEv1 1 a 2 bc"


def test_f9_a_scalar_that_is_not_reduced_is_refused():
    key, made = PublicKey.from_raw(public_key(ALICE)), PrivateKey.from_raw(ALICE).sign(b"text")
    s = int.from_bytes(made[32:], "little")
    assert key.verify(made, b"text")
    assert not key.verify(made[:32] + (s + L).to_bytes(32, "little"), b"text")


SMALL_ORDER = [
    bytes([1]) + bytes(31),
    bytes(32),
    bytes(31) + b"\x80",
    (P - 1).to_bytes(32, "little"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
]
NOT_CANONICAL = [
    (P + 1).to_bytes(32, "little"),
    P.to_bytes(32, "little"),
    (P + 3).to_bytes(32, "little"),
    bytes([1]) + bytes(30) + b"\x80",
    b"\xff" * 32,
]


@pytest.mark.parametrize("raw", SMALL_ORDER + NOT_CANONICAL)
def test_f9_a_key_of_small_order_or_another_encoding_is_refused(raw):
    with pytest.raises(NotTrusted):
        PublicKey.from_raw(raw)


@pytest.mark.parametrize("raw", SMALL_ORDER + NOT_CANONICAL)
def test_f9_an_r_of_small_order_or_another_encoding_is_refused(raw):
    key = PublicKey.from_raw(public_key(ALICE))
    assert not key.verify(raw + signed_with_r(raw, b"text", r=0), b"text")


def test_f9_a_signature_that_only_the_cofactor_makes_right_is_refused():
    key, r = PublicKey.from_raw(public_key(ALICE)), public_key(BOB)
    assert key.verify(r + signed_with_r(r, b"text", r=scalar(BOB)), b"text")
    shifted = plus_the_point_of_order_two(r)
    assert not key.verify(shifted + signed_with_r(shifted, b"text", r=scalar(BOB)), b"text")


def scalar(seed: bytes) -> int:
    """Return the secret scalar of a seed (RFC 8032, 5.1.5)."""
    low = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    return low & ((1 << 254) - 8) | 1 << 254


def signed_with_r(point: bytes, message: bytes, *, r: int) -> bytes:
    """Return the S that Alice signs with where R is this point and r was its scalar."""
    hashed = hashlib.sha512(point + public_key(ALICE) + message).digest()
    k = int.from_bytes(hashed, "little") % L
    return ((r + k * scalar(ALICE)) % L).to_bytes(32, "little")


def plus_the_point_of_order_two(point: bytes) -> bytes:
    """Return the encoding of (-x, -y): the sum with (0, -1)."""
    number = int.from_bytes(point, "little")
    y, sign = number & ((1 << 255) - 1), number >> 255
    return (P - y | (1 - sign) << 255).to_bytes(32, "little")


def signs(change):
    """Return a package under whose signature Alice signed a changed statement."""
    return build(signers=(ALICE,), statement_patch=change)


def predicate(**fields):
    def change(made):
        both = {**made["predicate"], **fields}
        made["predicate"] = {key: value for key, value in both.items() if value is not None}

    return change


STATEMENTS = {
    "another _type": lambda made: made.update(_type="https://in-toto.io/Statement/v0.1"),
    "no _type": lambda made: made.pop("_type") and None,
    "a fifth key": lambda made: made.update(x=1),
    "no subject": lambda made: made.update(subject=[]),
    "two subjects": lambda made: made.update(subject=made["subject"] * 2),
    "another digest too": lambda made: made["subject"][0]["digest"].update(sha512="0" * 128),
    "a third key of the subject": lambda made: made["subject"][0].update(uri="x"),
    "no name of the subject": lambda made: made["subject"][0].pop("name") and None,
    "no content": predicate(content=None),
    "another field": predicate(x="1"),
    "empty comment": predicate(comment=""),
    "number as comment": predicate(comment=1),
    "time with an offset": predicate(signed_at="2026-01-02T03:04:05+00:00"),
    "time in fractions": predicate(signed_at="2026-01-02T03:04:05.0Z"),
    "time in lower case": predicate(signed_at="2026-01-02t03:04:05z"),
    "time of no calendar": predicate(signed_at="2026-02-30T03:04:05Z"),
    "no time": predicate(signed_at=None),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_f10_a_statement_of_any_other_form_is_no_signature(judge, name):
    assert judge.refuses(signs(STATEMENTS[name]), ALICE) == {"S003"}


def test_f10_a_statement_is_canonical_json(judge):
    def spaced(envelopes):
        payload = base64.b64decode(envelopes[0]["payload"])
        return [envelope(ALICE, payload.replace(b'":', b'": ', 1))]

    assert judge.refuses(build(signers=(ALICE,), envelopes_patch=spaced), ALICE) == {"S003"}


def test_f10_a_comment_is_optional(judge):
    answer = judge.verify(signs(predicate(comment="for the night run")), ALICE, unsigned=False)
    assert answer.signatures[0].comment == "for the night run"


def test_f10_a_rebuild_is_a_statement_of_the_same_form(judge):
    def rebuild(made):
        made.update(predicateType="urn:cloacina:rebuild:v1", predicate={"result": "same"})

    assert not judge.verify(signs(rebuild), ALICE).trusted_signers
    two = {"predicateType": "urn:cloacina:rebuild:v1", "x": 1}
    assert judge.refuses(signs(lambda made: made.update(two)), ALICE) == {"S003"}


def test_f10_what_this_program_signs_is_spelled_by_the_format(judge):
    plain, expected = make(Recipe()), make(Recipe(signers=(ALICE,)))
    path = judge.write(plain.data)
    sign(SignRequest(path, keys=(PrivateKey.from_raw(ALICE),), signed_at="2026-01-02T03:04:05Z"))
    with open(path, "rb") as file:
        assert file.read() == expected.data
