"""Key files of other programs: read where they hold an Ed25519 key, named with a cure elsewhere.

The layouts of ring 0.16 and 0.17, ed25519-dalek 2.2 and OpenSSH are built here byte by byte, as
these programs were seen to write them; openssl and ssh-keygen make theirs anew in each run.
"""

import base64
import json
import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, NotTrusted
from cloacina_ctl.signing.key_formats import der, openssh, pem
from cloacina_ctl.signing.keys import (
    PrivateKey,
    PublicKey,
    load_key,
    load_private_key,
    load_public_key,
)
from tests.support.machine import need

SEED = bytes(range(32))
KEY = PrivateKey.from_raw(SEED)
RAW = KEY.public.raw
OTHER = PrivateKey.from_raw(bytes(32)).public.raw

V1 = bytes.fromhex("302e020100300506032b657004220420") + SEED
RING_17 = bytes.fromhex("3051020101300506032b657004220420") + SEED + b"\x81\x21\0" + RAW
RING_16 = bytes.fromhex("3053020101300506032b657004220420") + SEED + b"\xa1\x23\x03\x21\0" + RAW
SPKI = bytes.fromhex("302a300506032b6570032100") + RAW
LABEL = bytes.fromhex("a01f301d060a2a864886f70d01090914310f0c0d") + b"Curdle Chairs"  # RFC 8410
ATTRIBUTED = bytes.fromhex("3072020101300506032b657004220420") + SEED + LABEL + b"\x81\x21\0" + RAW
ATTRIBUTED_V1 = b"\x30\x4f" + V1[2:] + LABEL


def word(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def ssh_blob(raw=RAW, kind=b"ssh-ed25519"):
    return word(kind) + word(raw)


def ssh_line(raw=RAW, kind=b"ssh-ed25519", comment=b" me@host"):
    return kind + b" " + base64.b64encode(ssh_blob(raw, kind)) + comment + b"\n"


def ssh_private(
    *, outer=RAW, inner=RAW, count=1, cipher=b"none", kdf=b"none", options=b"", padding=b"\1\2\3"
):
    secret = bytes(8) + ssh_blob(inner) + word(SEED + inner) + word(b"me") + padding
    keys = count.to_bytes(4, "big") + word(ssh_blob(outer))
    raw = b"openssh-key-v1\0" + word(cipher) + word(kdf) + word(options) + keys + word(secret)
    return pem.write_block(pem.OPENSSH, raw)


READ_AS_PRIVATE = {
    "PKCS#8 v1": pem.write_block(pem.PRIVATE, V1),
    "of dalek and ring 0.17": pem.write_block(pem.PRIVATE, RING_17),
    "of ring 0.16": pem.write_block(pem.PRIVATE, RING_16),
    "with attributes": pem.write_block(pem.PRIVATE, ATTRIBUTED),
    "v1 with attributes": pem.write_block(pem.PRIVATE, ATTRIBUTED_V1),
    "DER": V1,
    "DER of ring 0.17": RING_17,
    "DER of ring 0.16": RING_16,
    "OpenSSH": ssh_private(),
}
READ_AS_PUBLIC = {
    "PEM": pem.write_block(pem.PUBLIC, SPKI),
    "DER": SPKI,
    "OpenSSH": ssh_line(),
    "OpenSSH without comment": ssh_line(comment=b""),
    "OpenSSH without end": ssh_line().rstrip(),
    "OpenSSH under a comment": b"# mine\n\n" + ssh_line(),
}


@pytest.mark.parametrize("what", READ_AS_PRIVATE)
def test_a_private_key_in_this_form_is_read_and_stored_as_version_1(what):
    key = PrivateKey.parse(READ_AS_PRIVATE[what])
    assert key.public == KEY.public
    assert key.to_pem() == READ_AS_PRIVATE["PKCS#8 v1"]


@pytest.mark.parametrize("what", READ_AS_PUBLIC)
def test_a_public_key_in_this_form_is_read(what):
    assert PublicKey.parse(READ_AS_PUBLIC[what]) == KEY.public


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(b"\n", b"  \n"),
        lambda data: b"\xef\xbb\xbf" + data,
        lambda data: b"\n\n" + data + b"\n\n",
        lambda data: b"ED25519 Private-Key:\npriv:\n    9d:61:b1\n" + data,
        lambda data: b"Bag Attributes\n    localKeyID: 01\nKey Attributes: <No>\n" + data,
        lambda data: data + b"ED25519 Public-Key:\npub:\n    d7:5a\n",
        lambda data: data.rstrip(b"\n"),
    ],
)
def test_what_programs_write_around_a_pem_block_is_left_alone(change):
    assert PrivateKey.parse(change(READ_AS_PRIVATE["OpenSSH"])).public == KEY.public
    assert PrivateKey.parse(change(READ_AS_PRIVATE["PKCS#8 v1"])).public == KEY.public
    assert PublicKey.parse(change(READ_AS_PUBLIC["PEM"])) == KEY.public


def refusal(data, read=PrivateKey.parse, **options):
    with pytest.raises(NotTrusted) as caught:
        read(data, where="key.pem", **options)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code is Code.BAD_KEY
    shown = f"{diagnostic.message} {diagnostic.hint}"
    assert SEED.hex()[:16] not in shown
    assert base64.b64encode(SEED).decode()[:16] not in shown
    return diagnostic


MIXED = {
    "v2 with another public half": RING_17[:-32] + OTHER,
    "ring 0.16 with another public half": RING_16[:-32] + OTHER,
    "OpenSSH with another public half outside": ssh_private(outer=OTHER),
    "OpenSSH with another public half": ssh_private(outer=OTHER, inner=OTHER),
}


@pytest.mark.parametrize("what", MIXED)
def test_a_public_half_of_another_key_is_refused(what):
    assert re.search("not of this private key|damaged", refusal(MIXED[what]).message)


NO_FORM = {
    "v1 with a public half": b"\x30\x51\2\1\0" + RING_17[5:],
    "v2 without one": b"\x30\x2e\2\1\1" + V1[5:],
    "v3": b"\x30\x51\2\1\2" + RING_17[5:],
    "both tags": bytes.fromhex("3074020101") + RING_17[5:] + b"\xa1\x23\x03\x21\0" + RAW,
    "bits unused": RING_17[:-33] + b"\1" + RAW,
    "public half cut": b"\x30\x50" + RING_17[2:-34] + b"\x20\0" + RAW[:-1],
    "more behind": b"\x30\x53" + RING_17[2:] + b"\5\0",
    "more behind DER": RING_17 + b"\0",
    "a seed of 31 bytes": bytes.fromhex("302d020100300506032b657004210" "41f") + SEED[:-1],
    "attributes that are none": b"\x30\x32" + V1[2:] + b"\xa0\2\5\0",
    "parameters": bytes.fromhex("3030020100300706032b6570050004220420") + SEED,
    "OpenSSH, two keys": ssh_private(count=2),
    "OpenSSH, padding": ssh_private(padding=b"\1\2\4"),
    "OpenSSH, a cipher without a passphrase": ssh_private(cipher=b"aes256-ctr"),
    "OpenSSH, cut": pem.write_block(pem.OPENSSH, b"openssh-key-v1\0" + word(b"none")),
    "OpenSSH, another magic": pem.write_block(pem.OPENSSH, V1),
}  # fmt: skip


@pytest.mark.parametrize("what", NO_FORM)
def test_what_is_nearly_a_private_key_is_refused(what):
    refusal(NO_FORM[what])
    refusal(NO_FORM[what], PublicKey.parse)


@pytest.mark.parametrize("form", [RING_17, RING_16, ATTRIBUTED, READ_AS_PRIVATE["OpenSSH"]])
def test_no_cut_of_a_private_key_is_read(form):
    for end in range(len(form) - 1):
        refusal(form[:end])


@given(st.integers(0, len(RING_17) - 1), st.integers(1, 255))
def test_no_change_of_a_byte_outside_of_the_seed_is_read_as_the_key(at, change):
    data = bytearray(RING_17)
    data[at] ^= change
    refusal(bytes(data))  # also in the seed: the public half is another one then


def test_a_weak_public_key_is_refused_in_every_form():
    weak = (1).to_bytes(32, "little")
    for data in (SPKI[:-32] + weak, ssh_line(weak)):
        assert "small order" in refusal(data, PublicKey.parse).message


def test_several_keys_in_one_file_are_refused_and_the_cure_takes_the_first(tmp_path):
    for data in (
        READ_AS_PRIVATE["PKCS#8 v1"] + READ_AS_PUBLIC["PEM"],
        READ_AS_PRIVATE["OpenSSH"] + b"\n" + READ_AS_PRIVATE["OpenSSH"],
    ):
        (tmp_path / "two keys").write_bytes(data)
        (tmp_path / "two keys").chmod(0o600)
        found = cured(tmp_path, tmp_path / "two keys")
        assert "2 PEM blocks: a private key" in found.message
        assert load_private_key(str(tmp_path / "key.pem")).public == KEY.public
    (tmp_path / "authorized_keys").write_bytes(ssh_line() + ssh_line(OTHER))
    cured(tmp_path, tmp_path / "authorized_keys")
    assert load_public_key(str(tmp_path / "key.pub")) == KEY.public


def cured(folder, path):
    """Run the command of the hint, which writes key.pem or key.pub; return what was refused."""
    with pytest.raises(NotTrusted) as caught:
        load_key(str(path), lambda _: b"pw")
    (found,) = caught.value.diagnostics
    command = found.hint.split("`")[1]
    subprocess.run(["sh", "-c", command], cwd=folder, check=True, capture_output=True, umask=0o077)
    return found


@pytest.mark.parametrize(
    "before", [b'from="10.0.0.0/8",no-pty ', b"host.example,10.0.0.1 ", b"@cert-authority * "]
)
def test_a_line_of_authorized_keys_or_known_hosts_is_refused_and_the_cure_works(tmp_path, before):
    (tmp_path / "line").write_bytes(before + ssh_line())
    assert "before it" in cured(tmp_path, tmp_path / "line").message
    assert load_public_key(str(tmp_path / "key.pub")) == KEY.public


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (b"ssh-rsa", "an RSA key"),
        (b"ssh-dss", "a DSA key"),
        (b"ecdsa-sha2-nistp256", "a P-256 key"),
        (b"sk-ssh-ed25519@openssh.com", "security token"),
        (b"sk-ecdsa-sha2-nistp256@openssh.com", "security token"),
        (b"ssh-ed25519-cert-v01@openssh.com", "a certificate"),
    ],
)
def test_another_kind_of_openssh_key_is_named(kind, name):
    assert name in refusal(ssh_line(kind=kind), PublicKey.parse).message


@pytest.mark.parametrize(
    "line",
    [
        b"ssh-ed25519", b"ssh-ed25519 AAAA", b"ssh-ed25519 !!!!", ssh_line(RAW[:-1]),
        ssh_line(RAW + b"\0"), b"ssh-ed25519 " + base64.b64encode(ssh_blob(kind=b"ssh-rsa")),
        b"ssh-ed25519 " + base64.b64encode(ssh_blob() + b"\0"),
    ],
)  # fmt: skip
def test_a_damaged_public_key_of_openssh_is_refused(line):
    assert "damaged" in refusal(line, PublicKey.parse).message


def sealed_by(folder, *options, passphrase="pw"):
    path = folder / "sealed"
    subprocess.run(
        [need("ssh-keygen"), "-q", "-t", "ed25519", "-N", passphrase, "-f", str(path), *options],
        check=True,
    )
    return path


@pytest.mark.parametrize("cipher", ["aes256-ctr", "aes256-cbc", "aes256-gcm@openssh.com"])
def test_an_encrypted_key_of_ssh_keygen_opens(tmp_path, cipher):
    path = sealed_by(tmp_path, "-Z", cipher, "-a", "2")
    key = load_private_key(str(path), lambda _: b"pw")
    assert key.public == load_public_key(f"{path}.pub")
    shown = subprocess.run(
        ["ssh-keygen", "-l", "-f", f"{path}.pub"], capture_output=True, text=True, check=True
    ).stdout
    assert key.public.openssh_fingerprint in shown.split()
    with pytest.raises(NotTrusted, match="passphrase is wrong") as caught:
        load_private_key(str(path), lambda _: b"not it")
    assert caught.value.diagnostics[0].code is Code.PASSPHRASE


def test_a_cipher_that_is_not_read_is_named_and_the_cure_works(tmp_path):
    path = sealed_by(tmp_path, "-Z", "chacha20-poly1305@openssh.com", "-a", "2")
    with pytest.raises(NotTrusted, match="chacha20-poly1305") as caught:
        load_private_key(str(path), lambda _: pytest.fail("asked"))
    command = caught.value.diagnostics[0].hint.split("`")[1]
    subprocess.run(["sh", "-c", f"{command} -P pw -N pw"], check=True, capture_output=True)
    assert load_private_key(str(path), lambda _: b"pw").public == load_public_key(f"{path}.pub")


def test_a_key_of_openssh_that_takes_for_ever_to_open_is_refused_before_it_is_tried():
    options = word(bytes(16)) + (2**32 - 1).to_bytes(4, "big")
    data = ssh_private(cipher=b"aes256-ctr", kdf=b"bcrypt", options=options)
    found = refusal(data, passphrase=lambda _: pytest.fail("asked"))
    assert f"at most {openssh.MAX_ROUNDS}" in found.message


def test_a_plain_key_of_ssh_keygen_is_read(tmp_path):
    path = sealed_by(tmp_path, passphrase="")
    assert load_private_key(str(path)).public == load_public_key(f"{path}.pub")


def test_keys_of_openssl_are_read_in_pem_with_text_and_in_der(tmp_path):
    (tmp_path / "key").write_bytes(READ_AS_PRIVATE["PKCS#8 v1"])
    for options in (
        ["-text"], ["-outform", "DER"], ["-aes256", "-passout", "pass:pw"],
        ["-pubout", "-text"], ["-pubout", "-outform", "DER"],
    ):  # fmt: skip
        out = tmp_path / "out"
        command = [need("openssl"), "pkey", "-in", str(tmp_path / "key"), "-out", str(out)]
        subprocess.run([*command, *options], check=True)
        out.chmod(0o600)
        loaded = load_key(str(out), lambda _: b"pw").key
        assert (loaded.public if isinstance(loaded, PrivateKey) else loaded) == KEY.public
    pkcs8 = [need("openssl"), "pkcs8", "-topk8", "-in", str(tmp_path / "key"), "-outform", "DER"]
    subprocess.run([*pkcs8, "-passout", "pass:pw", "-out", str(out)], check=True)
    assert load_private_key(str(out), lambda _: b"pw").public == KEY.public


def openssl(folder, *words):
    subprocess.run(
        [need("openssl"), *words], cwd=folder, check=True, capture_output=True, input=b""
    )


@pytest.fixture
def plain(tmp_path):
    (tmp_path / "k").write_bytes(READ_AS_PRIVATE["PKCS#8 v1"])
    (tmp_path / "k").chmod(0o600)
    return tmp_path


MADE_BY_OPENSSL = {
    "a certificate": ["req", "-x509", "-key", "k", "-subj", "/CN=x", "-out", "file"],
    "a certificate request": ["req", "-new", "-key", "k", "-subj", "/CN=x", "-out", "file"],
}


@pytest.mark.parametrize("what", MADE_BY_OPENSSL)
def test_a_file_around_a_public_key_is_named_and_the_cure_takes_the_key_out(plain, what):
    openssl(plain, *MADE_BY_OPENSSL[what])
    assert what in cured(plain, plain / "file").message
    assert load_public_key(str(plain / "key.pub")) == KEY.public


def test_what_encrypts_a_key_in_an_old_way_is_said_and_the_cure_works(plain):
    openssl(
        plain, "pkcs8", "-topk8", "-in", "k", "-v1", "PBE-SHA1-3DES", "-passout", "pass:pw",
        "-out", "file",
    )  # fmt: skip
    (plain / "file").chmod(0o600)
    with pytest.raises(NotTrusted, match="does not open") as caught:
        load_private_key(str(plain / "file"))
    command = caught.value.diagnostics[0].hint.split("`")[1]
    command += " -passin pass:pw -passout pass:pw"
    subprocess.run(["sh", "-c", command], cwd=plain, check=True, capture_output=True)
    (plain / "key.pem").chmod(0o600)
    assert load_private_key(str(plain / "key.pem"), lambda _: b"pw").public == KEY.public


def test_a_pkcs12_file_is_named_and_the_cure_takes_the_key_out(plain):
    openssl(plain, *MADE_BY_OPENSSL["a certificate"])
    openssl(
        plain, "pkcs12", "-export", "-inkey", "k", "-in", "file", "-passout", "pass:",
        "-out", "p.p12",
    )  # fmt: skip
    with pytest.raises(NotTrusted, match="PKCS#12") as caught:
        load_private_key(str(closed(plain / "p.p12")))
    command = caught.value.diagnostics[0].hint.split("`")[1] + " -passin pass:"
    subprocess.run(["sh", "-c", command], cwd=plain, check=True, capture_output=True)
    assert load_private_key(str(closed(plain / "key.pem"))).public == KEY.public


def closed(path):
    path.chmod(0o600)
    return path


def test_a_public_key_in_the_form_of_rfc_4716_is_named_and_the_cure_works(tmp_path):
    (tmp_path / "id.pub").write_bytes(ssh_line())
    done = subprocess.run(
        [need("ssh-keygen"), "-e", "-f", "id.pub"], cwd=tmp_path, capture_output=True, check=True
    )
    (tmp_path / "file").write_bytes(done.stdout)
    assert "RFC 4716" in cured(tmp_path, tmp_path / "file").message
    assert load_public_key(str(tmp_path / "key.pub")) == KEY.public


def test_a_text_in_utf_16_is_named_and_the_cure_works(tmp_path):
    text = READ_AS_PRIVATE["PKCS#8 v1"].decode()
    (tmp_path / "file").write_bytes(text.encode("utf-16"))
    closed(tmp_path / "file")
    assert "UTF-16" in cured(tmp_path, tmp_path / "file").message
    assert load_private_key(str(closed(tmp_path / "key.pem"))).public == KEY.public


@pytest.mark.parametrize("what", ["PKCS#8 v1", "OpenSSH"])
def test_a_private_key_for_a_public_one_is_refused_and_the_cure_writes_the_other(tmp_path, what):
    path = tmp_path / "secret"
    path.write_bytes(READ_AS_PRIVATE[what])
    closed(path)
    with pytest.raises(NotTrusted, match="expected a public key") as caught:
        load_public_key(str(path))
    command = caught.value.diagnostics[0].hint.split("`")[1]
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, capture_output=True)
    assert load_public_key(str(tmp_path / "key.pub")) == KEY.public


def test_a_key_of_rust_for_a_public_one_has_a_cure_that_openssl_is_not_needed_for(tmp_path):
    (tmp_path / "secret").write_bytes(RING_17)
    with pytest.raises(NotTrusted, match="expected a public key") as caught:
        load_public_key(str(tmp_path / "secret"))
    assert "`cloacina-ctl key import " in caught.value.diagnostics[0].hint


JWK = {
    "kty": "OKP",
    "crv": "Ed25519",
    "d": base64.urlsafe_b64encode(SEED).decode().rstrip("="),
    "x": base64.urlsafe_b64encode(RAW).decode().rstrip("="),
}
STRANGERS = {
    "a file of minisign": b"untrusted comment: minisign public key 1\nRWQ" + b"A" * 53 + b"\n",
    "a key of age": b"# created: 2026\n# public key: age1x\nAGE-SECRET-KEY-1X\n",
    "encrypts and does not sign": b"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
    "an OpenPGP public key": b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n=abcd\n"
    b"-----END PGP PUBLIC KEY BLOCK-----\n",
    "such as an OpenPGP key": b"\x98\x33\x04" + bytes(60),
    "a private key of cosign": pem.write_block("ENCRYPTED SIGSTORE PRIVATE KEY", b"{}"),
    "an RSA private key": pem.write_block("RSA PRIVATE KEY", b"0" * 50),
    "an elliptic-curve private key": pem.write_block("EC PARAMETERS", b"x")
    + pem.write_block("EC PRIVATE KEY", b"x"),
    "a private key of PuTTY": b"PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
    "a JSON Web Key": json.dumps(JWK).encode(),
    "an HTML or XML page": b"<!DOCTYPE html><html>",
    "a Java key store": b"\xfe\xed\xfe\xed" + bytes(30),
    "a block of type X": pem.write_block("X", b"x"),
    "in DER": der.wrap(der.SEQUENCE, der.number(0), der.number(1)),
    "a file that age encrypted": pem.write_block("AGE ENCRYPTED FILE", b"x"),
    "the key file is empty": b"\n",
    "not a key file": b"hello\n",
}


@pytest.mark.parametrize("what", STRANGERS)
def test_what_another_program_made_is_named(what):
    for read in (PrivateKey.parse, PublicKey.parse):
        found = refusal(STRANGERS[what], read)
        assert what in found.message
        if what not in ("an HTML or XML page", "the key file is empty"):
            assert found.hint


def test_the_cure_for_a_json_web_key_works(tmp_path):
    from cloacina_ctl.signing.keys import load_raw_key

    assert "--raw-private" in refusal(json.dumps(JWK).encode()).hint
    path = tmp_path / "raw"
    for half, private in (("d", True), ("x", False)):
        path.write_bytes(base64.urlsafe_b64decode(JWK[half] + "="))
        key = load_raw_key(str(closed(path)), private=private)
        assert (key.public if isinstance(key, PrivateKey) else key) == KEY.public


@pytest.mark.parametrize("joint", [b" ", b"\\n", b""])
def test_a_block_whose_lines_were_joined_is_said_with_what_to_do(joint):
    data = joint.join(READ_AS_PRIVATE["PKCS#8 v1"].splitlines())
    found = refusal(data)
    assert "joined" in found.message
    assert "base64" in found.hint


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_else(data):
    for read in (PrivateKey.parse, PublicKey.parse):
        for form in (data, pem.write_block(pem.OPENSSH, data), b"openssh-key-v1\0" + data):
            with pytest.raises(NotTrusted):
                read(form)
