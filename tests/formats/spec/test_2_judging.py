"""Docs/format.md, 2: what signatures are worth."""

from __future__ import annotations

import base64
import json

import pytest

from cloacina_ctl.operations.unpack import unpack
from tests.formats.spec.verdicts import refusal
from tests.support.builder import Recipe, build
from tests.support.envelopes import ALICE, BOB, MALLORY, canonical, envelope, keyid

JUNK = (b"", b"\xff\xfe", b"{}\n", b"[[[[", b'{"predicateType":"urn:cloacina:x"}\n')


@pytest.mark.parametrize("payload", JUNK)
@pytest.mark.parametrize("signature", [True, False])
def test_f11_an_envelope_whose_key_nobody_asked_for_is_ignored(judge, payload, signature):
    junk = envelope(MALLORY, payload)
    if not signature:
        junk["signatures"][0]["sig"] = envelope(BOB, b"x")["signatures"][0]["sig"]
    data = build(signers=(ALICE,), envelopes_patch=lambda made: [junk, *made])
    assert judge.verify(data, ALICE, unsigned=False).trusted_signers == (keyid(ALICE),)
    assert judge.verify(data).trusted_signers == ()
    assert judge.verify(data, BOB).trusted_signers == ()


def other(**fields):
    return lambda made: made["predicate"].update(fields)


FAILING = {
    "subject's digest": lambda made: made["subject"][0]["digest"].update(sha256="0" * 64),
    "subject's name": lambda made: made["subject"][0].update(name="other-1.0.0.cloacina"),
    "name": other(name="other"),
    "version": other(version="1.0.1"),
    "content": other(content="sha256:" + "0" * 64),
}


@pytest.mark.parametrize("name", FAILING)
def test_f12_a_statement_of_a_known_key_about_something_else_is_refused(judge, name):
    data = build(signers=(ALICE,), statement_patch=FAILING[name])
    assert judge.refuses(data, ALICE) == {"S003"}
    assert judge.refuses_to_unpack(data, ALICE) == {"S003"}


def test_f12_a_signature_under_a_known_key_that_fails_is_refused_even_where_unsigned_is_allowed(
    judge,
):
    def forge(envelopes):
        alice, bob = envelopes
        alice["signatures"][0]["sig"] = bob["signatures"][0]["sig"]
        return [alice, bob]

    data = build(signers=(ALICE, BOB), envelopes_patch=forge)
    assert judge.refuses(data, ALICE, unsigned=True) == {"S003"}
    assert judge.refuses(data, ALICE, BOB, unsigned=True) == {"S003"}
    assert judge.refuses_to_unpack(data, ALICE, BOB, unsigned=True) == {"S003"}


def test_f12_a_changed_head_makes_every_known_signature_fail(judge):
    signed = build(signers=(ALICE,))
    other_head = build(level=3, version="1.0.1", signers=(ALICE,))
    block = 8 + int.from_bytes(signed[4:8], "little")
    rest = other_head[8 + int.from_bytes(other_head[4:8], "little") :]
    size = other_head[20:24]
    assert judge.refuses(signed[:20] + size + signed[24:block] + rest, ALICE) == {"S003"}


def test_f13_one_key_counts_once(judge):
    def again(envelopes):
        said = json.loads(base64.b64decode(envelopes[0]["payload"]))
        said["predicate"]["signed_at"] = "2026-01-02T03:04:06Z"
        return [*envelopes, envelope(ALICE, canonical(said))]

    data = build(signers=(ALICE,), envelopes_patch=again)
    assert judge.verify(data, ALICE, unsigned=False).trusted_signers == (keyid(ALICE),)
    assert judge.refuses(data, ALICE, BOB, unsigned=False, threshold=2) == {"S004"}
    both = build(signers=(ALICE, BOB))
    assert len(judge.verify(both, ALICE, BOB, unsigned=False, threshold=2).trusted_signers) == 2


def test_f14_the_key_that_verified_is_the_one_that_the_keyid_names(judge):
    def under(name):
        def patch(envelopes):
            envelopes[0]["signatures"][0]["keyid"] = name
            return envelopes

        return build(signers=(ALICE,), envelopes_patch=patch)

    assert judge.refuses(under(keyid(BOB)), ALICE, BOB) == {"S003"}
    assert judge.refuses(under(keyid(MALLORY)), ALICE, unsigned=False) == {"S002"}


def test_f15_text_of_an_envelope_that_was_not_verified_is_shown_as_claimed(judge):
    data = build(
        signers=(MALLORY,),
        statement_patch=lambda made: made["predicate"].update(comment="signed by the author"),
    )
    (stranger,) = judge.inspect(data).signatures
    assert stranger.status == "unknown-key"
    assert (stranger.name, stranger.comment, stranger.signed_at) == (None, None, None)
    assert dict(stranger.claimed)["comment"] == "signed by the author"
    (known,) = judge.verify(data, MALLORY).signatures
    assert known.comment == "signed by the author"
    assert known.claimed == ()


BOMB = Recipe(head_frame=lambda content: b"\x28\xb5\x2f\xfd" + content[:400])


def test_f16_a_required_signature_is_checked_before_the_head_is_decompressed(judge, tmp_path):
    target = str(tmp_path / "target")
    unsigned, strange = judge.write(build(BOMB)), judge.write(build(BOMB, signers=(MALLORY,)))
    required = judge.rule(ALICE, unsigned=False)
    assert refusal(unpack, unsigned, target, required) == {"S001"}
    assert refusal(unpack, strange, target, required) == {"S002"}


def test_f16_a_signature_that_fails_ends_everything_before_the_head_is_decompressed(judge):
    wrong = build(
        BOMB,
        signers=(ALICE,),
        statement_patch=lambda made: made["subject"][0]["digest"].update(sha256="0" * 64),
    )
    assert judge.refuses(wrong, ALICE) == {"S003"}
    assert judge.refuses_to_unpack(wrong, ALICE) == {"S003"}
    assert judge.refuses(build(BOMB), ALICE) == {"A007"}
