"""TLS: certificates that hold and ones that do not, made here with keys of their own."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, NetworkProblem
from cloacina_ctl.server.address import parse_address
from cloacina_ctl.server.client import Server
from cloacina_ctl.server.multipart import Upload
from cloacina_ctl.server.token import Token
from tests.server.clients import IMPATIENT, sends
from tests.support.cloacina_server import WRITE, Cloacina, response
from tests.support.sockets import Listener

NOW = dt.datetime.now(dt.timezone.utc)
DAY = dt.timedelta(days=1)
SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False,
    data_encipherment=False, key_agreement=False, key_cert_sign=True, crl_sign=True,
    encipher_only=False, decipher_only=False,
)  # fmt: skip
HERE = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


class Certified(NamedTuple):
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def write(self, path) -> str:
        key = self.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        path.write_bytes(self.pem() + key)
        return str(path)


def certify(name: str, issuer: Certified | None = None, place=HERE, age: int = 0) -> Certified:
    """Return a certificate for ``place``, by ``issuer`` or by itself, ``age`` days too old."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    by = issuer.certificate.subject if issuer else subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(by)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY * (10 + age))
        .not_valid_after(NOW + DAY * (10 - 2 * age))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    # What the stricter checks of newer Pythons want to see.
    by_key = (issuer.key if issuer else key).public_key()
    identifiers = (
        x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
        x509.AuthorityKeyIdentifier.from_issuer_public_key(by_key),
    )
    for extension in identifiers:
        builder = builder.add_extension(extension, critical=False)
    if issuer is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([place]), critical=False)
    else:
        builder = builder.add_extension(SIGNS_CERTIFICATES, critical=True)
    return Certified(builder.sign((issuer.key if issuer else key), hashes.SHA256()), key)


def speaking(certified: Certified, tmp_path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certified.write(tmp_path / "server.pem"))
    return context


@pytest.fixture
def authority(tmp_path) -> Certified:
    made = certify("authority of the tests")
    (tmp_path / "ca.pem").write_bytes(made.pem())
    return made


def test_publishes_over_tls_with_an_authority_of_our_own(publish, authority, tmp_path):
    with Cloacina(context=speaking(certify("server", authority), tmp_path)) as server:
        done = publish("--server", server.url, "--ca-file", tmp_path / "ca.pem", "--run")
    assert done.status == 0, done.err
    assert done.json["result"]["server"].startswith("https://")


def test_a_large_package_goes_over_tls_too(publish, authority, tmp_path, package):
    import os

    from tests.support.legacy import version_of as source

    package.write_bytes(source(**{"workflow/demo/blob.bin": os.urandom(5 << 18)}))
    with Cloacina(context=speaking(certify("server", authority), tmp_path)) as server:
        server.asleep = False
        done = publish("--server", server.url, "--ca-file", tmp_path / "ca.pem")
        assert done.status == 0, done.err
        assert server.uploads == [package.read_bytes()]


def refused_over_tls(authority, tmp_path, serve, size=8 << 20):
    """Return what the upload of so many bytes to a server that does so over TLS comes to."""
    data = bytes(size)
    (tmp_path / "blob").write_bytes(data)
    context = speaking(certify("server", authority), tmp_path)
    with (tmp_path / "blob").open("rb") as file, Listener(serve, context) as listener:
        upload = Upload(file.fileno(), len(data), Digest.of(data), "blob")
        server = Server(
            parse_address(listener.url), "t", Token(WRITE, "test"),
            ca_file=str(tmp_path / "ca.pem"), patience=IMPATIENT,
        )  # fmt: skip
        with pytest.raises(NetworkProblem) as caught:
            server.upload(upload)
    return caught.value.diagnostics[0]


def test_a_server_that_says_no_in_the_middle_is_heard_over_tls_too(authority, tmp_path):
    def impatient(line):
        line.asked()
        line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        line.sock.recv(1 << 16)
        line.send(response(413, {"error": "too large", "code": "too_large"}))

    assert "413 too large" in refused_over_tls(authority, tmp_path, impatient).message


def test_a_server_that_does_not_read_is_given_up_over_tls_too(authority, tmp_path):
    def deaf(line):
        line.asked()
        line.wait()

    assert refused_over_tls(authority, tmp_path, deaf).code == Code.NO_ANSWER


@pytest.mark.parametrize("ended", [b"", b"HTTP/1.1 400 Bad\r\n", b"HTTP/1.1 400 Bad\r\n\r\n"])
def test_a_server_that_drips_is_given_up_over_tls_too(authority, tmp_path, ended):
    def drips(line):
        line.body(line.asked())
        sends(ended, *([b"x"] * 50), wait=0.05)(line)

    found = refused_over_tls(authority, tmp_path, drips, size=100)
    assert (found.code, "the answer did not end" in found.message) == (Code.NO_ANSWER, True)


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("of an unknown authority", "unable to get local issuer"),
        ("self-signed", "self"),
        ("of another host", "mismatch"),
        ("of a host by name", "mismatch"),
        ("expired", "expired"),
    ],
)
def test_a_certificate_that_does_not_hold_ends_it(publish, authority, tmp_path, which, words):
    elsewhere = x509.IPAddress(ipaddress.ip_address("192.0.2.1"))
    certified = {
        "of an unknown authority": lambda: certify("x", certify("another")),
        "self-signed": lambda: certify("x"),
        "of another host": lambda: certify("x", authority, elsewhere),
        "of a host by name": lambda: certify("127.0.0.1", authority, x509.DNSName("host")),
        "expired": lambda: certify("x", authority, age=20),
    }[which]()
    with Cloacina(context=speaking(certified, tmp_path)) as server:
        done = publish("--server", server.url, "--ca-file", tmp_path / "ca.pem")
        assert (done.status, done.codes) == (7, ["N002"])
        assert words in done.json["diagnostics"][0]["message"].lower()
        assert server.listener.connections == 1
        assert server.asked == []


def test_the_authorities_of_the_system_do_not_know_ours(publish, authority, tmp_path):
    with Cloacina(context=speaking(certify("server", authority), tmp_path)) as server:
        assert publish("--server", server.url).codes == ["N002"]


def test_a_server_that_speaks_no_tls_is_none(publish):
    with Listener(lambda line: line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as plain:
        done = publish("--server", plain.url.replace("http:", "https:"))
    assert (done.status, done.codes) == (7, ["N002"])
    assert "no TLS with this server" in done.json["diagnostics"][0]["message"]


def test_an_old_tls_is_none(publish, authority, tmp_path):
    context = speaking(certify("server", authority), tmp_path)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with Cloacina(context=context) as old:
        assert publish("--server", old.url, "--ca-file", tmp_path / "ca.pem").codes == ["N002"]


def test_a_server_that_is_silent_in_the_middle_of_tls_is_given_up(publish):
    with Listener(lambda line: line.wait()) as listener:
        done = publish("--server", listener.url.replace("http:", "https:"))
    assert (done.status, done.codes) == (7, ["N005"])


def test_a_server_that_hangs_up_in_the_middle_of_tls_is_said(publish):
    with Listener(lambda line: line.sock.recv(10)) as listener:
        done = publish("--server", listener.url.replace("http:", "https:"))
    assert (done.status, done.codes) == (7, ["N002"])


@pytest.mark.parametrize("text", ["", "no certificate"])
def test_a_file_without_an_authority_is_said(publish, server, tmp_path, text):
    (tmp_path / "ca.pem").write_text(text)
    secure = server.url.replace("http:", "https:")
    assert publish("--server", secure, "--ca-file", tmp_path / "ca.pem").status == 2
    assert publish("--server", secure, "--ca-file", tmp_path / "absent.pem").status == 8
    assert publish("--ca-file", tmp_path / "ca.pem").status == 2
    assert server.asked == []
