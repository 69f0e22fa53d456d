"""Envelopes: one form, one spelling, and the bytes that a signature is over."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.dsse import PAYLOAD_TYPE, Envelope, pae
from cloacina_ctl.errors import Code, Refused

KEYID = "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c"
ENVELOPE = Envelope(b"a text", PAYLOAD_TYPE, KEYID, bytes(range(64)))


def refuse(value):
    with pytest.raises(Refused) as caught:
        Envelope.from_json(value, where="here")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.where) == (Code.BAD_SIGNATURE_FRAME, "here")


def test_the_bytes_that_get_signed_are_those_of_the_dsse_specification():
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )
    assert pae("", b"") == b"DSSEv1 0  0 "
    assert pae("\u00e9", b"\xff") == b"DSSEv1 2 \xc3\xa9 1 \xff"


@given(st.binary(max_size=200), st.binary(min_size=64, max_size=64))
def test_an_envelope_comes_back_from_its_json(payload, sig):
    envelope = Envelope(payload, PAYLOAD_TYPE, KEYID, sig)
    assert Envelope.from_json(envelope.to_json(), where="") == envelope


@given(
    st.tuples(st.text(max_size=20), st.binary(max_size=20)),
    st.tuples(st.text(max_size=20), st.binary(max_size=20)),
)
def test_two_texts_never_give_the_same_bytes_to_sign(one, other):
    assert (pae(*one) == pae(*other)) == (one == other)


def test_every_other_form_is_refused():
    good = ENVELOPE.to_json()
    signature = good["signatures"][0]
    for value in (None, [], "x", 1, {}, {**good, "x": 1}, {"payload": "", "payloadType": ""}):
        refuse(value)
    for signatures in (None, {}, [], [signature, signature], ["x"], [None], [[]], [{}]):
        refuse({**good, "signatures": signatures})
    for change in ({"x": 1}, {"keyid": None}, {"keyid": 1}, {"sig": None}, {"sig": 1}):
        refuse({**good, "signatures": [{**signature, **change}]})
    for missing in ("keyid", "sig"):
        refuse({**good, "signatures": [{k: v for k, v in signature.items() if k != missing}]})


@pytest.mark.parametrize(
    "kind", [None, 1, "", "text/plain", PAYLOAD_TYPE.upper(), PAYLOAD_TYPE + " "]
)
def test_another_payload_type_is_refused(kind):
    refuse({**ENVELOPE.to_json(), "payloadType": kind})


@pytest.mark.parametrize(
    "keyid",
    ["", KEYID[:-1], KEYID + "0", KEYID.upper(), KEYID[:-1] + "g", KEYID + "\n", "\u0660" * 64],
)
def test_a_keyid_is_64_lower_case_hex_digits(keyid):
    good = ENVELOPE.to_json()
    refuse({**good, "signatures": [{**good["signatures"][0], "keyid": keyid}]})


@pytest.mark.parametrize("size", [0, 1, 32, 63, 65, 128])
def test_a_signature_has_64_bytes(size):
    good = ENVELOPE.to_json()
    sig = base64.b64encode(bytes(size)).decode()
    refuse({**good, "signatures": [{**good["signatures"][0], "sig": sig}]})


@pytest.mark.parametrize(
    "text",
    [
        "YQ",
        "YQ=",
        "YR==",
        "YQ==\n",
        " YQ==",
        "Y Q==",
        "YQ===",
        "YQ==YQ==",
        "_-8=",
        "Y\u00e9==",
        "*",
        "Y",
    ],
)
def test_base64_has_one_spelling(text):
    refuse({**ENVELOPE.to_json(), "payload": text})
    good = ENVELOPE.to_json()
    refuse({**good, "signatures": [{**good["signatures"][0], "sig": text}]})


def test_it_can_be_imported_without_cryptography():
    import subprocess
    import sys

    code = "import sys, cloacina_ctl.dsse; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
