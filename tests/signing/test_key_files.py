"""Key files: what one may be, who may read it, and how much work it may ask for."""

import base64
import os
import subprocess
import time

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x448, x25519
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, FileProblem, NotTrusted
from cloacina_ctl.signing import sources
from cloacina_ctl.signing.key_formats import der, pem, pkcs8
from cloacina_ctl.signing.keys import (
    PrivateKey,
    PublicKey,
    is_encrypted,
    load_private_key,
    load_public_key,
)
from tests.support.machine import need

KEY = PrivateKey.from_raw(bytes(range(32)))
SEALED = KEY.to_pem(b"secret")


def refusal(read, data, code=Code.BAD_KEY, **options):
    with pytest.raises(NotTrusted) as caught:
        read(data, where="key.pem", **options)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.where) == (code, "key.pem")
    assert "\n" not in diagnostic.message
    return diagnostic


def block(label: str, raw: bytes) -> bytes:
    return pem.write_block(label, raw)


def raw_of(data: bytes) -> bytes:
    return pem.read_block(data, None)[1]


def test_keys_come_back_from_their_files():
    assert PublicKey.parse(KEY.public.to_pem()) == KEY.public
    assert PrivateKey.parse(KEY.to_pem()).public == KEY.public
    assert PrivateKey.parse(SEALED, lambda _: b"secret").public == KEY.public
    for data in (KEY.public.to_pem(), KEY.to_pem()):
        assert b"\r" not in data
        crlf = data.replace(b"\n", b"\r\n")
        read = PublicKey.parse if b"PUBLIC" in data else PrivateKey.parse
        assert read(crlf).__class__ in (PublicKey, PrivateKey)
        assert read(data.rstrip(b"\n")).__class__ in (PublicKey, PrivateKey)


def test_files_are_those_that_other_programs_write():
    spki = "MCowBQYDK2VwAyEAA6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
    assert KEY.public.to_pem().decode().splitlines()[1] == spki
    other = serialization.load_pem_private_key(KEY.to_pem(), None)
    assert other.private_bytes_raw() == bytes(range(32))
    sealed = serialization.load_pem_private_key(SEALED, b"secret")
    assert sealed.private_bytes_raw() == bytes(range(32))


def test_openssl_reads_our_files_and_we_read_its(tmp_path):
    openssl = need("openssl")
    path = tmp_path / "k.pem"
    path.write_bytes(SEALED)
    shown = subprocess.run(
        [openssl, "pkey", "-in", str(path), "-passin", "pass:secret", "-pubout"],
        capture_output=True,
        check=True,
    ).stdout
    assert PublicKey.parse(shown) == KEY.public
    for options in ([], ["-scrypt"], ["-v2", "aes-128-cbc", "-iter", "5000"]):
        sealed = subprocess.run(
            [openssl, "pkcs8", "-topk8", "-passout", "pass:x", *options],
            input=KEY.to_pem(),
            capture_output=True,
            check=True,
        ).stdout
        assert PrivateKey.parse(sealed, lambda _: b"x").public == KEY.public


def test_a_wrong_or_missing_passphrase_is_said_after_one_attempt():
    asked = []

    def wrong(what):
        asked.append(what)
        return b"wrong"

    refusal(PrivateKey.parse, SEALED, Code.PASSPHRASE, passphrase=wrong)
    assert asked == ["key.pem"]
    for provider in (None, lambda _: None, lambda _: b""):
        found = refusal(PrivateKey.parse, SEALED, Code.PASSPHRASE, passphrase=provider)
        assert "CLOACINA_CTL_PASSPHRASE_FILE" in found.hint
    PrivateKey.parse(KEY.to_pem(), wrong)
    assert len(asked) == 1  # no passphrase is asked for where none is needed


@pytest.mark.parametrize("passphrase", [b"", b"x" * 1024])
def test_a_passphrase_that_protects_nothing_is_refused(passphrase):
    with pytest.raises(NotTrusted) as caught:
        KEY.to_pem(passphrase)
    assert caught.value.diagnostics[0].code is Code.PASSPHRASE


def test_whether_a_key_is_encrypted_is_seen_without_opening_it():
    assert is_encrypted(SEALED)
    assert not is_encrypted(KEY.to_pem())


def test_sealing_takes_as_many_rounds_as_it_says():
    assert pkcs8._effort(raw_of(SEALED)) == ("rounds of PBKDF2:", 600_000, pkcs8.MAX_ROUNDS)


def sealed_with(function: bytes, *parameters: bytes) -> bytes:
    seq = pkcs8._sequence
    derivation = seq(der.wrap(der.OID, function), seq(der.wrap(der.OCTETS, bytes(8)), *parameters))
    cipher = seq(der.wrap(der.OID, pkcs8._AES_256_CBC), der.wrap(der.OCTETS, bytes(16)))
    how = seq(der.wrap(der.OID, pkcs8._PBES2), seq(derivation, cipher))
    return block(pem.ENCRYPTED, seq(how, der.wrap(der.OCTETS, bytes(64))))


def number(value: int) -> bytes:
    return der.number(value)


@pytest.mark.parametrize(
    "data",
    [
        sealed_with(pkcs8._PBKDF2, number(2**31 - 1)),
        sealed_with(pkcs8._PBKDF2, number(pkcs8.MAX_ROUNDS + 1), number(32)),
        sealed_with(pkcs8._PBKDF2, number(2**100)),
        sealed_with(pkcs8._SCRYPT, number(2**20), number(8), number(1)),
        sealed_with(pkcs8._SCRYPT, number(2**14), number(8), number(1000)),
        sealed_with(bytes(9), number(1)),
    ],
)
def test_a_key_that_takes_for_ever_to_open_is_refused_before_the_passphrase_is_asked(data):
    started = time.monotonic()
    refusal(PrivateKey.parse, data, passphrase=lambda _: pytest.fail("asked"))
    assert time.monotonic() - started < 1


def test_an_old_encryption_is_refused_with_its_cure():
    pbes1 = bytes.fromhex("2a864886f70d010c0103")
    parameters = pkcs8._sequence(der.wrap(der.OCTETS, bytes(8)), number(2**31 - 1))
    how = pkcs8._sequence(der.wrap(der.OID, pbes1), parameters)
    data = block(pem.ENCRYPTED, pkcs8._sequence(how, der.wrap(der.OCTETS, bytes(56))))
    assert "openssl pkcs8 -topk8" in refusal(PrivateKey.parse, data).hint


def test_an_unknown_cipher_is_refused():
    raw = raw_of(SEALED).replace(pkcs8._AES_256_CBC, pkcs8._AES_256_CBC[:-1] + b"\x63")
    data = block(pem.ENCRYPTED, raw)
    refusal(PrivateKey.parse, data, Code.PASSPHRASE, passphrase=lambda _: b"secret")


def test_no_cut_of_an_encrypted_key_is_opened():
    raw = raw_of(SEALED)
    for end in range(len(raw)):
        refusal(PrivateKey.parse, block(pem.ENCRYPTED, raw[:end] or b"\0"))
    refusal(PrivateKey.parse, block(pem.ENCRYPTED, raw + b"\0"))


def private_bytes(key, encryption=None) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        encryption or serialization.NoEncryption(),
    )


def public_bytes(key) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


OTHERS = {
    "RSA": rsa.generate_private_key(65537, 2048),
    "DSA": dsa.generate_private_key(1024),
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
    "Ed448": ed448.Ed448PrivateKey.generate(),
    "X25519": x25519.X25519PrivateKey.generate(),
    "X448": x448.X448PrivateKey.generate(),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_key_of_another_kind_is_named(name):
    key = OTHERS[name]
    assert f" {name} key" in refusal(PublicKey.parse, public_bytes(key)).message
    assert f" {name} key" in refusal(PrivateKey.parse, private_bytes(key)).message


def test_an_encrypted_key_of_another_kind_is_named():
    data = private_bytes(OTHERS["X25519"], serialization.BestAvailableEncryption(b"x"))
    found = refusal(PrivateKey.parse, data, passphrase=lambda _: b"x")
    assert "X25519" in found.message


def test_one_half_is_not_taken_for_the_other():
    assert "found a private key" in refusal(PublicKey.parse, KEY.to_pem()).message
    assert "found an encrypted private key" in refusal(PublicKey.parse, SEALED).message
    assert "found a public key" in refusal(PrivateKey.parse, KEY.public.to_pem()).message


PUBLIC, PRIVATE = KEY.public.to_pem(), KEY.to_pem()
SPKI, PKCS8 = raw_of(PUBLIC), raw_of(PRIVATE)
BAD = {
    "empty": b"",
    "text": b"hello\n",
    "two blocks": PUBLIC + PUBLIC,
    "both halves": PRIVATE + PUBLIC,
    "labels that differ": PUBLIC.replace(b"END PUBLIC", b"END PRIVATE"),
    "label of RSA": block("RSA PUBLIC KEY", SPKI),
    "certificate": block("CERTIFICATE", SPKI),
    "OpenSSH": block("OPENSSH PRIVATE KEY", PKCS8),
    "unknown label": block("X", SPKI),
    "header lines": PRIVATE.replace(b"KEY-----\n", b"KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1),
    "31 bytes": bytes(31),
    "33 bytes": bytes(33),
    "utf-16": PUBLIC.decode().encode("utf-16"),
    "5 MB": PUBLIC + b"\n" * 5_000_000,
    "no base64": PUBLIC.replace(b"MCow", b"M=ow"),
    "padding": PUBLIC.replace(b"=\n", b"==\n"),
    "trailing bits": PUBLIC.replace(b"Mbg=", b"Mbh="),
    "DER and more": block(pem.PUBLIC, SPKI + b"\0"),
    "DER cut": block(pem.PUBLIC, SPKI[:-1]),
    "no DER": block(pem.PUBLIC, bytes(44)),
    "BER length": block(pem.PUBLIC, b"\x30\x81\x2a" + SPKI[2:]),
    "null parameters": block(pem.PUBLIC, bytes.fromhex("302c300706032b65700500032100") + SPKI[12:]),
    "private and more": block(pem.PRIVATE, PKCS8 + b"\0"),
    "private cut": block(pem.PRIVATE, PKCS8[:-1]),
    "private no DER": block(pem.PRIVATE, b"\xff" * 48),
    "no algorithm": block(pem.PRIVATE, pkcs8._sequence(number(0))),
    "unknown algorithm": block(
        pem.PRIVATE, pkcs8._sequence(number(0), pkcs8._sequence(der.wrap(der.OID, b"\x2a\x03")))
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_key_file_is_refused_in_either_place(what):
    refusal(PublicKey.parse, BAD[what])
    refusal(PrivateKey.parse, BAD[what])


def test_a_weak_key_in_a_file_is_refused():
    weak = block(pem.PUBLIC, SPKI[:12] + (1).to_bytes(32, "little"))
    assert "small order" in refusal(PublicKey.parse, weak).message


def test_32_raw_bytes_are_never_guessed():
    for read in (PublicKey.parse, PrivateKey.parse):
        assert "--raw-private" in refusal(read, KEY.public.raw).hint


@given(st.binary(max_size=200), st.sampled_from([pem.PUBLIC, pem.PRIVATE, pem.ENCRYPTED]))
def test_no_bytes_raise_anything_else(raw, label):
    for data in (raw, block(label, raw)):
        for read in (PublicKey.parse, PrivateKey.parse):
            with pytest.raises(NotTrusted):
                read(data)


@given(st.binary(min_size=48, max_size=48).map(lambda noise: noise), st.integers(0, 47))
def test_no_damage_to_a_private_key_goes_unseen(noise, at):
    if noise[at] == PKCS8[at] or at >= 16:
        return
    damaged = PKCS8[:at] + noise[at : at + 1] + PKCS8[at + 1 :]
    refusal(PrivateKey.parse, block(pem.PRIVATE, damaged))


@pytest.mark.parametrize("value", [0, 1, 127, 128, 255, 256, 2**31, 2**64])
def test_numbers_of_der_have_one_spelling(value):
    data = der.number(value)
    assert der.take_number(data + b"x") == (value, b"x")
    padded = der.wrap(der.INTEGER, b"\0" + data[2:])
    with pytest.raises(der.NotDer):
        der.take_number(padded)


@pytest.mark.parametrize(
    "data",
    ["", "02", "0200", "0280", "02810100", "0281", "02820001", "028200800000", "020180", "0401",
     "02850000000001", "02ff00"],
)  # fmt: skip
def test_other_spellings_of_der_are_refused(data):
    with pytest.raises(der.NotDer):
        der.take_number(bytes.fromhex(data))


def test_long_lengths_of_der_are_read():
    value = bytes(300)
    data = b"\x04\x82\x01\x2c" + value
    assert der.take(data, der.OCTETS) == (value, b"")


# Files


def key_file(folder, mode=0o600, data=PRIVATE):
    path = folder / "key.pem"
    path.write_bytes(data)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604, 0o777, 0o620, 0o602, 0o610])
def test_a_private_key_that_others_can_use_is_refused(tmp_path, mode):
    path = key_file(tmp_path, mode)
    with pytest.raises(NotTrusted) as caught:
        load_private_key(path)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code is Code.KEY_EXPOSED
    assert diagnostic.hint == f"chmod 600 {path}"
    assert f"{mode:04o}" in diagnostic.message


def test_the_cure_can_be_pasted_into_a_shell(tmp_path):
    folder = tmp_path / "my keys; $x"
    folder.mkdir()
    with pytest.raises(NotTrusted) as caught:
        load_private_key(key_file(folder, 0o644))
    subprocess.run(["sh", "-c", caught.value.diagnostics[0].hint], check=True)
    assert load_private_key(str(folder / "key.pem")).public == KEY.public


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_key_of_its_owner_alone_is_taken(tmp_path, mode):
    assert load_private_key(key_file(tmp_path, mode)).public == KEY.public


@pytest.mark.skipif(os.geteuid() != 0, reason="only the administrator can give files away")
def test_a_private_key_of_another_user_is_refused(tmp_path):
    path = key_file(tmp_path)
    os.chown(path, 12345, -1)
    with pytest.raises(NotTrusted, match="another user"):
        load_private_key(path)


def test_a_private_key_that_everybody_can_replace_is_refused(tmp_path):
    path = key_file(tmp_path)
    tmp_path.chmod(0o777)
    with pytest.raises(NotTrusted) as caught:
        load_private_key(path)
    assert caught.value.diagnostics[0].hint == f"chmod o-w {tmp_path}"
    tmp_path.chmod(0o1777)  # as /tmp is: only the owner can rename
    assert load_private_key(path).public == KEY.public
    tmp_path.chmod(0o700)


def test_a_link_is_judged_by_the_file_at_its_end(tmp_path):
    path = key_file(tmp_path)
    (tmp_path / "link.pem").symlink_to(path)
    assert load_private_key(str(tmp_path / "link.pem")).public == KEY.public
    os.chmod(path, 0o644)
    with pytest.raises(NotTrusted):
        load_private_key(str(tmp_path / "link.pem"))


def test_what_is_no_file_does_not_block(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "_WRITER_SECONDS", 0.01)
    os.mkfifo(tmp_path / "fifo", 0o600)
    for path in (str(tmp_path / "fifo"), str(tmp_path), "/dev/zero"):
        for load in (load_private_key, load_public_key):
            with pytest.raises(NotTrusted, match=r"regular file|within"):
                load(path)
    with pytest.raises(FileProblem) as caught:
        load_public_key(str(tmp_path / "none"))
    assert caught.value.diagnostics[0].code is Code.NOT_FOUND


def test_a_large_file_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "large.pem"
    with open(path, "wb") as file:
        file.truncate(1 << 40)
    path.chmod(0o600)
    for load in (load_private_key, load_public_key):
        with pytest.raises(NotTrusted, match="at most"):
            load(str(path))


def test_no_message_tells_the_key(tmp_path):
    secrets = (bytes(range(32)).hex(), base64.b64encode(PKCS8).decode(), "secret")
    for mode, data in ((0o644, PRIVATE), (0o600, PRIVATE[:-8]), (0o600, SEALED)):
        with pytest.raises(NotTrusted) as caught:
            load_private_key(key_file(tmp_path, mode, data), lambda _: b"not it")
        shown = f"{caught.value!r} {caught.value.diagnostics}"
        assert not any(secret in shown for secret in secrets)
        os.chmod(tmp_path / "key.pem", 0o600)
