"""Keys: what a key file may be, who may read it, and which points vouch for nothing."""

import hashlib
import os

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa, x25519

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.signing import curve
from cloacina_ctl.signing.keys import PrivateKey, PublicKey, load_private_key

SEED = bytes(range(32))
# RFC 8032, 7.1, test 3
RFC_SEED = bytes.fromhex("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7")
RFC_PUBLIC = bytes.fromhex("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025")
RFC_SIGNATURE = bytes.fromhex(
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
)


def code_of(caught) -> Code:
    return caught.value.diagnostics[0].code


def all_points_of_small_order() -> set[bytes]:
    """Every 32-byte spelling of a point of order 1, 2, 4 or 8, by multiplying points by eight."""
    found = set()
    for y in {y for base in curve._small_order_ys() for y in (base, base + curve.P)}:
        if y < 2**255:
            for sign in (0, 1):
                found.add((y | sign << 255).to_bytes(32, "little"))
    return found


def test_the_test_vector_of_the_standard_holds():
    key = PrivateKey.from_raw(RFC_SEED)
    assert key.public.raw == RFC_PUBLIC
    assert key.sign(b"\xaf\x82") == RFC_SIGNATURE
    assert key.public.verify(RFC_SIGNATURE, b"\xaf\x82")


def test_the_fingerprint_is_that_of_other_generations():
    public = PrivateKey.from_raw(SEED).public
    assert public.raw.hex() == "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
    assert public.fingerprint == hashlib.sha256(public.raw).hexdigest()
    assert public.fingerprint.startswith("56475aa75463474c")


def test_there_are_fourteen_encodings_of_small_order_and_none_is_a_key():
    encodings = all_points_of_small_order()
    assert len([e for e in encodings if curve.is_small_order(e)]) == len(encodings)
    assert len(encodings) >= 14
    for encoding in encodings:
        with pytest.raises(NotTrusted) as caught:
            PublicKey.from_raw(encoding)
        assert code_of(caught) is Code.BAD_KEY


def test_a_key_that_is_not_in_its_canonical_form_is_refused():
    for y in range(2, 19):
        with pytest.raises(NotTrusted):
            PublicKey.from_raw((curve.P + y).to_bytes(32, "little"))


@pytest.mark.parametrize("multiple", [1, 2, 8, 15])
def test_a_second_spelling_of_the_scalar_is_refused(multiple):
    scalar = int.from_bytes(RFC_SIGNATURE[32:], "little") + multiple * curve.ORDER
    if scalar < 2**256:
        other = RFC_SIGNATURE[:32] + scalar.to_bytes(32, "little")
        assert not PublicKey(RFC_PUBLIC).verify(other, b"\xaf\x82")


def test_a_commitment_of_small_order_is_refused():
    for encoding in all_points_of_small_order():
        assert not PublicKey(RFC_PUBLIC).verify(encoding + RFC_SIGNATURE[32:], b"\xaf\x82")


def test_no_flipped_bit_of_signature_or_message_is_taken():
    public = PublicKey(RFC_PUBLIC)
    for bit in range(512):
        flipped = bytearray(RFC_SIGNATURE)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not public.verify(bytes(flipped), b"\xaf\x82")
    assert not public.verify(RFC_SIGNATURE, b"\xaf\x83")
    assert not public.verify(RFC_SIGNATURE[:63], b"\xaf\x82")


def test_keys_come_back_from_their_files():
    key = PrivateKey.from_raw(SEED)
    assert PublicKey.from_pem(key.public.to_pem()) == key.public
    assert PublicKey.from_pem(key.public.to_pem().replace(b"\n", b"\r\n")) == key.public
    assert PrivateKey.from_pem(key.to_pem()).public == key.public
    sealed = key.to_pem(b"secret")
    assert PrivateKey.from_pem(sealed, lambda _: b"secret").public == key.public


def test_a_wrong_or_missing_passphrase_is_said():
    sealed = PrivateKey.from_raw(SEED).to_pem(b"secret")
    for provider in (None, lambda _: None, lambda _: b"wrong"):
        with pytest.raises(NotTrusted) as caught:
            PrivateKey.from_pem(sealed, provider)
        assert code_of(caught) is Code.PASSPHRASE


def other_keys():
    encode = {
        "encoding": serialization.Encoding.PEM,
        "format": serialization.PrivateFormat.PKCS8,
        "encryption_algorithm": serialization.NoEncryption(),
    }
    keys = {
        "RSA": rsa.generate_private_key(65537, 2048),
        "P-256": ec.generate_private_key(ec.SECP256R1()),
        "Ed448": ed448.Ed448PrivateKey.generate(),
        "X25519": x25519.X25519PrivateKey.generate(),
    }
    return {name: key.private_bytes(**encode) for name, key in keys.items()}


def bad_files():
    key = PrivateKey.from_raw(SEED)
    public, private = key.public.to_pem(), key.to_pem()
    yield "empty", b""
    yield "text", b"hello\n"
    yield "two blocks", public + public
    yield "text before", b"a key:\n" + public
    yield "text after", public + b"-- \nme\n"
    yield "wrong label", public.replace(b"PUBLIC KEY", b"RSA KEY")
    yield "31 bytes", SEED[:31]
    yield "33 bytes", SEED + b"\0"
    yield "utf-16", public.decode().encode("utf-16")
    yield "too large", public + b"\n" * 100_000
    yield "trailing der", public.replace(b"=", b"AAAA=")
    yield "both", private + public
    yield from other_keys().items()


@pytest.mark.parametrize(("what", "data"), list(bad_files()))
def test_what_is_no_key_file_is_refused_in_either_place(what, data):
    for read in (PublicKey.from_pem, PrivateKey.from_pem):
        with pytest.raises(NotTrusted) as caught:
            read(data, where=what)
        assert code_of(caught) is Code.BAD_KEY


def test_a_private_key_is_not_taken_for_a_public_one_or_the_other_way():
    key = PrivateKey.from_raw(SEED)
    with pytest.raises(NotTrusted):
        PublicKey.from_pem(key.to_pem())
    with pytest.raises(NotTrusted):
        PrivateKey.from_pem(key.public.to_pem())


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o777])
def test_a_private_key_that_others_can_read_is_refused(tmp_path, mode):
    path = tmp_path / "key.pem"
    path.write_bytes(PrivateKey.from_raw(SEED).to_pem())
    path.chmod(mode)
    with pytest.raises(NotTrusted) as caught:
        load_private_key(str(path))
    assert code_of(caught) is Code.KEY_EXPOSED
    assert "chmod 600" in (caught.value.diagnostics[0].hint or "")


def test_a_key_that_is_a_fifo_does_not_block(tmp_path):
    os.mkfifo(tmp_path / "key.pem", 0o600)
    with pytest.raises(NotTrusted):
        load_private_key(str(tmp_path / "key.pem"))


def test_nothing_that_is_shown_tells_a_private_key():
    key = PrivateKey.from_raw(SEED)
    assert SEED.hex() not in repr(key) + str(key)
