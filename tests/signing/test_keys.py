"""Keys: which points vouch for nothing, and which signatures hold."""

import hashlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.signing.key_formats import curve
from cloacina_ctl.signing.keys import PrivateKey, PublicKey
from tests.signing import points

SEED = bytes(range(32))
# RFC 8032, 7.1: seed, public key, message, signature
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
            "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
            "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290"
            "ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        hashlib.sha512(b"abc").hexdigest(),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ec"
            "fdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
]
PUBLIC = PrivateKey.from_raw(SEED).public
MESSAGE = b"a message"
SIGNATURE = PrivateKey.from_raw(SEED).sign(MESSAGE)


def refuse(raw: bytes) -> str:
    with pytest.raises(NotTrusted) as caught:
        PublicKey.from_raw(raw, where="here")
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.where) == (Code.BAD_KEY, "here")
    return diagnostic.message


@pytest.mark.parametrize("vector", VECTORS, ids=["1", "2", "3", "sha(abc)"])
def test_the_test_vectors_of_the_standard_hold(vector):
    seed, public, message, signature = (bytes.fromhex(part) for part in vector)
    key = PrivateKey.from_raw(seed)
    assert key.public.raw == public
    assert key.sign(message) == signature
    assert key.public.verify(signature, message)
    assert not key.public.verify(signature, message + b"\n")


def test_the_fingerprint_is_that_of_other_generations():
    assert PUBLIC.raw.hex() == "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8"
    assert PUBLIC.fingerprint == (
        "56475aa75463474c0285df5dbf2bcab73da651358839e9b77481b2eab107708c"
    )


def test_signatures_of_other_generations_hold():
    import base64

    archive = hashlib.sha256(b"hello cloacina\n")
    signature = base64.b64decode(
        "PeN3nLpLmJC1YBpk+yantiHBUdHk727pqgCXZQiSPx2Nc1XformkjwyNGZuWcUYO7o1gzMBRpxHP2XNL57uSCQ=="
    )
    assert PUBLIC.verify(signature, archive.digest())
    assert not PUBLIC.verify(signature, archive.hexdigest().encode())


def test_none_of_the_fourteen_encodings_of_small_order_is_a_key():
    encodings = points.small_order_encodings()
    assert len(points.small_order_points()) == 8
    assert len(encodings) == 14
    for encoding in encodings:
        assert curve.is_small_order(encoding)
        assert "small order" in refuse(encoding) or not curve.is_canonical(encoding)


def test_the_constants_are_those_of_the_curve():
    pairs = ((curve.P, points.P), (curve.ORDER, points.L), (curve.D, points.D))
    assert all(ours == theirs for ours, theirs in pairs)
    ys = {y for _, y in points.small_order_points()}
    assert not ys ^ curve._SMALL_ORDER_YS


def test_a_key_has_one_spelling():
    for number in range(19):  # y + P fits below 2**255 for these alone
        for sign in (0, 1):
            assert "canonical" in refuse((curve.P + number | sign << 255).to_bytes(32, "little"))
    for y in (1, curve.P - 1):  # x = 0 has no sign
        assert not curve.is_canonical((y | 1 << 255).to_bytes(32, "little"))


def test_bytes_that_are_no_point_are_no_key():
    refused = 0
    for y in range(2, 102):
        raw = y.to_bytes(32, "little")
        if points.x_of(y) is None:
            assert "no point" in refuse(raw)
            refused += 1
        else:
            assert PublicKey(raw).raw == raw
    assert 30 < refused < 70


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_a_key_has_32_bytes(size):
    assert str(size) in refuse(bytes(size))
    with pytest.raises(NotTrusted):
        PrivateKey.from_raw(bytes(size))


def test_a_point_of_mixed_order_proves_only_what_it_should():
    """A key with a part of small order is canonical; without the cofactor it verifies nothing."""
    x = points.x_of(int.from_bytes(PUBLIC.raw, "little") & (2**255 - 1))
    y = int.from_bytes(PUBLIC.raw, "little") & (2**255 - 1)
    point = (x, y) if x & 1 == PUBLIC.raw[31] >> 7 else (points.P - x, y)
    for torsion in points.small_order_points() - {points.NEUTRAL}:
        mixed = PublicKey(points.encode(points.add(point, torsion)))
        assert not mixed.verify(SIGNATURE, MESSAGE)


def test_a_second_spelling_of_the_scalar_is_refused():
    scalar = int.from_bytes(SIGNATURE[32:], "little")
    others = {scalar + times * curve.ORDER for times in range(1, 16)}
    others |= {curve.ORDER, curve.ORDER + 1, 2**256 - 1, 0, curve.ORDER - scalar}
    for other in others:
        if other < 2**256:
            signature = SIGNATURE[:32] + other.to_bytes(32, "little")
            assert not PUBLIC.verify(signature, MESSAGE)


def test_a_signature_made_with_a_key_of_small_order_convinces_nobody():
    """R = any point of small order, S = 0: it fits every message under a key of small order."""
    for encoding in points.small_order_encodings():
        for scalar in (bytes(32), SIGNATURE[32:]):
            assert not PUBLIC.verify(encoding + scalar, MESSAGE)


def test_a_commitment_of_small_order_is_refused_even_where_the_equation_holds():
    """With R neutral and S = k·a the equation of the standard holds: only the rule refuses it."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    neutral = (1).to_bytes(32, "little")
    digest = bytearray(hashlib.sha512(SEED).digest()[:32])
    digest[0] &= 248
    digest[31] = digest[31] & 63 | 64
    secret = int.from_bytes(digest, "little")
    challenge = hashlib.sha512(neutral + PUBLIC.raw + MESSAGE).digest()
    scalar = int.from_bytes(challenge, "little") * secret % curve.ORDER
    signature = neutral + scalar.to_bytes(32, "little")
    Ed25519PublicKey.from_public_bytes(PUBLIC.raw).verify(
        signature, MESSAGE
    )  # the library takes it
    assert not PUBLIC.verify(signature, MESSAGE)


def test_a_commitment_that_is_not_canonical_is_refused():
    for number in range(19):
        encoding = (curve.P + number).to_bytes(32, "little")
        assert not PUBLIC.verify(encoding + SIGNATURE[32:], MESSAGE)


def test_no_flipped_bit_of_signature_or_message_is_taken():
    assert PUBLIC.verify(SIGNATURE, MESSAGE)
    for bit in range(512):
        flipped = bytearray(SIGNATURE)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not PUBLIC.verify(bytes(flipped), MESSAGE)
    for bit in range(8 * len(MESSAGE)):
        flipped = bytearray(MESSAGE)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not PUBLIC.verify(SIGNATURE, bytes(flipped))


@given(st.binary(max_size=130))
def test_nothing_else_is_a_signature(signature):
    assert not PUBLIC.verify(signature, MESSAGE)


def test_cut_extended_and_reversed_signatures_are_refused():
    for signature in (SIGNATURE[:-1], SIGNATURE + b"\0", SIGNATURE[::-1], b"", SIGNATURE[32:] * 2):
        assert not PUBLIC.verify(signature, MESSAGE)


def test_keys_are_equal_by_their_bytes():
    again = PublicKey.from_raw(PUBLIC.raw)
    assert again == PUBLIC
    assert len({again, PUBLIC}) == 1
    assert again != PrivateKey.generate().public
    assert again != PUBLIC.raw
    with pytest.raises(AttributeError):
        PUBLIC.raw = bytes(32)


def test_nothing_that_is_shown_tells_a_private_key():
    key = PrivateKey.from_raw(SEED)
    assert repr(key) == "PrivateKey(56475aa75463474c…)"
    assert repr(key.public) == "PublicKey(56475aa75463474c…)"
    assert f"{key}" == repr(key)
    with pytest.raises(TypeError):
        pickle.dumps(key)
