"""Signatures: what holds, what does not, and what is nobody's business."""

import pytest

from cloacina_ctl.clock import is_time, now_utc
from cloacina_ctl.digest import Digest
from cloacina_ctl.dsse import PAYLOAD_TYPE, Envelope, pae
from cloacina_ctl.errors import Code, NotTrusted, Refused, UsageError
from cloacina_ctl.manifest import canonical
from cloacina_ctl.signing.keys import PrivateKey
from cloacina_ctl.signing.policy import Requirement, failed_signatures, require_signatures
from cloacina_ctl.signing.signatures import (
    KnownKey,
    SignatureStatus,
    check_head_signatures,
    check_signed_subjects,
)
from cloacina_ctl.signing.statement import (
    MAX_TEXT,
    SIGNATURE_TYPE,
    Claims,
    Subject,
    claims,
    read_statement,
    sign_package,
)

ALICE, BOB, MALLORY = (PrivateKey.from_raw(bytes([n]) * 32) for n in (1, 2, 3))
WHEN = "2026-01-02T03:04:05Z"
SUBJECT = Subject("demo", "1.0.0", Digest.of(b"head"), "sha256:" + "ab" * 32)
KNOWN = (KnownKey(ALICE.public, "alice"), KnownKey(BOB.public, "bob", trusted=False))
SLSA = "https://slsa.dev/provenance/v1"
REBUILD = "urn:cloacina:rebuild:v1"


def signed(key=ALICE, subject=SUBJECT, **options):
    return sign_package(subject, key, signed_at=WHEN, **options)


def sealed(payload, key=ALICE, keyid=None):
    """An envelope with any payload and a signature that is right for it."""
    data = payload if isinstance(payload, bytes) else canonical.encode(payload)
    sig = key.sign(pae(PAYLOAD_TYPE, data))
    return Envelope(data, PAYLOAD_TYPE, keyid or key.public.fingerprint, sig)


def statement(**changes):
    return {**canonical.decode(signed().payload, what="it"), **changes}


def judge(*envelopes, known=KNOWN, subject=SUBJECT):
    return check_signed_subjects(check_head_signatures(envelopes, subject.head, known), subject)


def status(envelope, **options):
    (judged,) = judge(envelope, **options)
    assert (judged.reason is not None) == (judged.status is SignatureStatus.INVALID)
    return judged.status


def test_a_signature_of_a_trusted_key_is_trusted_and_one_of_a_known_key_valid():
    first, second, third = judge(signed(), signed(BOB), signed(MALLORY))
    assert (first.status, first.name, first.signed_at) == (SignatureStatus.TRUSTED, "alice", WHEN)
    assert (second.status, second.name, second.signed_at) == (SignatureStatus.VALID, "bob", WHEN)
    assert (third.status, third.name, third.signed_at) == (SignatureStatus.UNKNOWN_KEY, None, None)
    assert [one.holds for one in (first, second, third)] == [True, True, False]
    assert third.claims.signed_at == WHEN  # only ever shown as claimed
    assert third.predicate_type == SIGNATURE_TYPE


def test_what_is_signed_is_the_text_of_the_format():
    assert signed(comment="it's \u00e9").payload.decode() == (
        '{"_type":"https://in-toto.io/Statement/v1","predicate":{"comment":"it\'s \u00e9",'
        f'"content":"{SUBJECT.content}","name":"demo","signed_at":"{WHEN}","version":"1.0.0"}},'
        '"predicateType":"urn:cloacina:package-signature:v1","subject":[{"digest":{"sha256":'
        f'"{SUBJECT.head}"}},"name":"demo-1.0.0.cloacina"}}]}}\n'
    )
    assert signed() == signed()  # Ed25519 is deterministic, and nothing else varies


def test_no_flipped_bit_of_payload_or_signature_holds():
    good = signed()
    for field in ("payload", "sig"):
        data = getattr(good, field)
        for bit in range(8 * len(data)):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            assert status(good._replace(**{field: bytes(flipped)})) is SignatureStatus.INVALID
    for changed in ({"payload_type": "text/plain"}, {"payload": good.payload + b"\n"}):
        assert status(good._replace(**changed)) is SignatureStatus.INVALID


def test_no_flipped_bit_of_the_keyid_holds():
    good = signed()
    raw = bytes.fromhex(good.keyid)
    for bit in range(256):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        assert status(good._replace(keyid=flipped.hex())) is SignatureStatus.UNKNOWN_KEY


def test_the_keyid_must_be_that_of_the_key_that_verifies():
    assert status(signed()._replace(keyid=BOB.public.fingerprint)) is SignatureStatus.INVALID
    assert status(sealed(statement(), MALLORY, ALICE.public.fingerprint)) is SignatureStatus.INVALID
    assert (
        status(signed()._replace(keyid=MALLORY.public.fingerprint)) is SignatureStatus.UNKNOWN_KEY
    )


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"version": "2"},
        {"content": "sha256:" + "0" * 64},
        {"head": Digest.of(b"x")},
    ],
)
def test_the_signature_of_another_package_is_invalid(change):
    assert status(signed(subject=SUBJECT._replace(**change))) is SignatureStatus.INVALID


def test_name_and_version_that_only_read_alike_together_are_told_apart():
    other = SUBJECT._replace(name="demo-1.0", version="0")
    assert other.file_name != SUBJECT.file_name
    split = SUBJECT._replace(name="demo-1", version="0.0")
    joined = SUBJECT._replace(name="demo", version="1-0.0")
    assert split.file_name == joined.file_name
    assert status(signed(subject=split), subject=joined) is SignatureStatus.INVALID


def predicate(**changes):
    found = {**statement()["predicate"], **changes}
    return statement(predicate={key: value for key, value in found.items() if value is not None})


def subject_of(**changes):
    return statement(subject=[{**statement()["subject"][0], **changes}])


NOT_OURS = {
    "no statement": b"hello",
    "a list": [],
    "a text": "x",
    "unknown key": statement(x=1),
    "missing key": {key: value for key, value in statement().items() if key != "_type"},
    "other statement type": statement(_type="https://in-toto.io/Statement/v0.1"),
    "type is no text": statement(predicateType=1),
    "not canonical": signed().payload.replace(b",", b", "),
    "no newline": signed().payload[:-1],
    "key twice": signed().payload.replace(b'{"_type"', b'{"predicate":{},"_type"'),
    "type twice": signed().payload.replace(b'"subject"', b'"predicateType":"x","subject"'),
    "float": signed().payload.replace(b'"1.0.0"', b"1.0"),
    "predicate is a list": statement(predicate=[]),
    "unknown field": predicate(x="y"),
    "field missing": predicate(content=None),
    "time missing": predicate(signed_at=None),
    "number for text": predicate(version=1),
    "empty comment": predicate(comment=""),
    "comment of another type": predicate(comment=["x"]),
    "time with offset": predicate(signed_at="2026-01-02T03:04:05+00:00"),
    "time of another calendar": predicate(signed_at="2026-02-30T03:04:05Z"),
    "bare content": predicate(content="ab" * 32),
    "no subject": statement(subject=[]),
    "subject is no list": statement(subject={}),
    "subject is no object": statement(subject=["x"]),
    "two subjects": statement(subject=statement()["subject"] * 2),
    "subject with more": subject_of(uri="x"),
    "subject of another name": subject_of(name="demo-1.0.0"),
    "subject name is no text": subject_of(name=1),
    "digest is no object": subject_of(digest=str(SUBJECT.head)),
    "another digest too": subject_of(digest={"sha256": str(SUBJECT.head), "md5": "0"}),
    "another kind of digest": subject_of(digest={"sha512": str(SUBJECT.head)}),
    "digest is no text": subject_of(digest={"sha256": 1}),
    "digest in capitals": subject_of(digest={"sha256": str(SUBJECT.head).upper()}),
    "deep": b"[" * 100_000,
    "deep and ours": b'{"predicateType":"urn:cloacina:x","a":' + b"[" * 30 + b"]" * 30 + b"}",
    "too large": b'"' + b"x" * (1 << 20) + b'"\n',
    "utf-16": signed().payload.decode().encode("utf-16"),
    "not utf-8": signed().payload.replace(b"demo", b"dem\xff"),
    "digits": b'{"predicateType":' + b"9" * 5000 + b"}",
}  # fmt: skip


@pytest.mark.parametrize("what", NOT_OURS)
def test_a_known_key_that_signed_anything_else_is_invalid(what):
    assert status(sealed(NOT_OURS[what])) is SignatureStatus.INVALID
    assert status(sealed(NOT_OURS[what], MALLORY)) is SignatureStatus.UNKNOWN_KEY


def test_a_signature_over_other_bytes_does_not_hold():
    payload = signed().payload
    for message in (payload, payload.rstrip(), bytes.fromhex(SUBJECT.head), SUBJECT.head.encode(),
                    pae("text/plain", payload), pae(PAYLOAD_TYPE, payload) + b"\n"):  # fmt: skip
        envelope = signed()._replace(sig=ALICE.sign(message))
        assert status(envelope) is SignatureStatus.INVALID


def attestation(kind, key=ALICE, **changes):
    return sealed(statement(predicateType=kind, predicate={"what": "ever"}, **changes), key)


@pytest.mark.parametrize("kind", [SLSA, REBUILD, SIGNATURE_TYPE.replace("v1", "v2"), "x", ""])
def test_other_statements_that_hold_are_attestations_and_count_for_nothing(kind):
    (judged,) = found = judge(attestation(kind))
    assert (judged.status, judged.is_signature) == (SignatureStatus.TRUSTED, False)
    assert judged.signed_at is None
    with pytest.raises(NotTrusted) as caught:
        require_signatures(found, Requirement(), where="x")
    assert caught.value.diagnostics[0].code is Code.UNSIGNED


@pytest.mark.parametrize("kind", [SLSA, REBUILD])
def test_an_attestation_of_another_package_is_invalid(kind):
    other = [{"digest": {"sha256": "0" * 64}, "name": "demo-1.0.0.cloacina"}]
    assert status(attestation(kind, subject=other)) is SignatureStatus.INVALID
    assert status(attestation(kind, subject=[])) is SignatureStatus.INVALID


def test_our_own_statements_name_the_package():
    assert (
        status(attestation(REBUILD, subject=subject_of(name="other")["subject"]))
        is SignatureStatus.INVALID
    )


def test_a_statement_of_another_type_may_have_several_subjects_and_any_spelling():
    subjects = [1, {"digest": 1}, {"digest": {"sha256": 1}}, {"digest": {"sha512": "x"}}]
    made = statement(predicateType=SLSA, subject=[*subjects, *statement()["subject"]])
    payload = canonical.encode(made).replace(b",", b" , ").replace(b'"_type"', b'"n": 1.5, "_type"')
    assert status(sealed(payload)) is SignatureStatus.TRUSTED
    assert (
        status(sealed(canonical.encode({**made, "subject": subjects}))) is SignatureStatus.INVALID
    )
    assert status(sealed(canonical.encode({**made, "subject": 1}))) is SignatureStatus.INVALID


def test_a_key_that_is_known_twice_is_trusted_where_it_is_once():
    for known in (
        (KnownKey(ALICE.public, None, False), KNOWN[0]),
        (KNOWN[0], KnownKey(ALICE.public, None, False)),
    ):
        (judged,) = judge(signed(), known=known)
        assert (judged.status, judged.name) == (SignatureStatus.TRUSTED, "alice")


def test_nobody_known_knows_nobody():
    assert judge(known=()) == ()
    assert status(signed(), known=()) is SignatureStatus.UNKNOWN_KEY


# Texts that nobody vouches for


def test_what_is_claimed_is_bounded_and_can_be_shown():
    assert claims(sealed(b"x")) is None
    assert claims(sealed(b"[]")) is None
    assert claims(sealed(b'{"predicateType":1}')) is None
    odd = b'{"predicateType":"t","predicate":{"name":"\\ud800","version":1,"comment":"%s","x":"y"}}'
    assert claims(sealed(odd % (b"c" * 5000))) == Claims("t", name="?", comment="c" * MAX_TEXT)
    assert claims(sealed(b'{"predicateType":"t","predicate":1}')) == Claims("t")


def test_reading_a_statement_says_what_is_wrong_with_it():
    assert read_statement(signed()).head == SUBJECT.head
    with pytest.raises(Refused):
        read_statement(sealed(b"x"))


# Signing


@pytest.mark.parametrize(
    "time", ["", "now", "2026-01-02", "2026-01-02T03:04:05", "2026-01-02T03:04:05z"]
)
def test_a_time_that_no_reader_takes_is_not_signed(time):
    with pytest.raises(UsageError):
        sign_package(SUBJECT, ALICE, signed_at=time)


def test_times_are_those_of_the_calendar():
    for good in (
        "2024-02-29",
        "2000-02-29",
        "1970-01-01",
        "2106-12-31",
        "9999-04-30",
        "0001-01-01",
    ):
        assert is_time(f"{good}T23:59:59Z")
    for bad in ("2023-02-29", "1900-02-29", "2026-04-31", "2026-13-01", "2026-00-01", "2026-01-00",
                "2026-01-32", "\u0662026-01-02", "+026-01-02"):  # fmt: skip
        assert not is_time(f"{bad}T23:59:59Z")
    for bad in ("24:00:00Z", "23:60:00Z", "23:59:60Z", "23:59:59.0Z", "23:59:59Z\n"):
        assert not is_time(f"2026-01-02T{bad}")
    assert is_time(now_utc())


def test_a_comment_is_bounded():
    with pytest.raises(UsageError, match="4096"):
        signed(comment="x" * 4097)
    with pytest.raises(Refused, match="surrogate"):
        signed(comment="\ud800")
    assert b"comment" not in signed(comment="").payload
    assert status(signed(comment="x" * 4096)) is SignatureStatus.TRUSTED


# Enough?


def need(*envelopes, threshold=1, allow_unsigned=False, known=KNOWN):
    requirement = Requirement(threshold, allow_unsigned)
    return require_signatures(judge(*envelopes, known=known), requirement, where="x.cloacina")


def refusal(*envelopes, **options):
    with pytest.raises(NotTrusted) as caught:
        need(*envelopes, **options)
    found = caught.value.diagnostics
    assert all(one.where == "x.cloacina" and one.hint for one in found)
    return found[0]


BOTH = (KnownKey(ALICE.public, "alice"), KnownKey(BOB.public, "bob"))


def test_one_trusted_signature_is_enough_unless_more_are_asked_for():
    assert need(signed()) == (ALICE.public.fingerprint,)
    assert need(signed(), signed(MALLORY)) == (ALICE.public.fingerprint,)
    both = (ALICE.public.fingerprint, BOB.public.fingerprint)
    assert need(signed(), signed(BOB), threshold=2, known=BOTH) == both
    assert refusal(signed(), threshold=2, known=BOTH).code is Code.THRESHOLD


def test_what_to_do_depends_on_who_has_signed():
    alone = refusal(signed(), threshold=2)
    assert alone.message.startswith("1 of 2 required signatures by trusted keys: ")
    assert alone.hint.startswith("another person whose key is trusted must sign it")
    both = refusal(signed(), signed(BOB), threshold=2)
    assert BOB.public.fingerprint[:16] in both.hint
    assert "trust add" in both.hint
    nobody = refusal().hint
    assert "if you made it: `cloacina-ctl sign x.cloacina`" in nobody
    assert "--allow-unsigned" in nobody


def test_one_key_counts_once():
    twice = (signed(), signed(comment="again"), signed(comment="and again"))
    assert need(*twice) == (ALICE.public.fingerprint,)
    assert refusal(*twice, threshold=2).code is Code.THRESHOLD


def test_a_key_that_is_known_but_not_trusted_does_not_count():
    found = refusal(signed(BOB))
    assert found.code is Code.NO_TRUSTED_SIGNER
    assert "--key" in found.hint
    assert "trust add" in found.hint


def test_nobody_known_and_nobody_at_all_are_told_apart():
    assert refusal().code is Code.UNSIGNED
    assert refusal(signed(MALLORY)).code is Code.NO_TRUSTED_SIGNER
    assert refusal(signed(), known=()).code is Code.NO_TRUSTED_SIGNER


def test_unsigned_can_be_allowed_and_a_failing_signature_cannot():
    assert need(allow_unsigned=True) == ()
    assert need(signed(MALLORY), allow_unsigned=True) == ()
    broken = signed()._replace(sig=bytes(64))
    for others in ((), (signed(BOB),), (signed(comment="good"),)):
        found = refusal(broken, *others, allow_unsigned=True)
        assert found.code is Code.BAD_SIGNATURE
        assert "alice" in found.message
    assert len(failed_signatures(judge(broken, signed(BOB)._replace(sig=bytes(64))), "x")) == 2


@pytest.mark.parametrize("threshold", [0, -1])
def test_a_threshold_that_everything_meets_is_refused(threshold):
    for allow in (True, False):
        with pytest.raises(UsageError):
            need(signed(), threshold=threshold, allow_unsigned=allow)


def test_a_message_does_not_grow_with_the_number_of_signatures():
    many = [signed(PrivateKey.from_raw(bytes([n]) * 32)) for n in range(10, 74)]
    message = refusal(*many).message
    assert len(message) < 200
    assert "and 60 more" in message
