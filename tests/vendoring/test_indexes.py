"""Real indexes on loopback, with passwords and certificates of their own, the real uv and pip."""

from __future__ import annotations

import datetime as dt
import os
import platform
import shutil
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.cli.main import run as start
from cloacina_ctl.errors import BuildFailed, Code, NetworkProblem, Refused
from cloacina_ctl.project.detect import VENDOR_LOCK
from cloacina_ctl.vendoring.installers import programs
from cloacina_ctl.vendoring.locks.lock import write_lock
from tests.support.elf_builder import AARCH64
from tests.support.wheels import wheel
from tests.vendoring.index import index
from tests.vendoring.projects import UV, library, lock, program, project, refused, vendored

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
PASSWORD = "s3cret/pass+word"
ESCAPED = "s3cret%2Fpass%2Bword"


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """A home of one's own, uv on PATH, and nothing of this machine's certificates."""
    for name in [
        one for one in os.environ if one.startswith(("PIP_", "SSL_", "REQUESTS_", "CURL_"))
    ]:
        monkeypatch.delenv(name)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip-cache"))
    assert UV is not None
    monkeypatch.setenv("PATH", f"{os.path.dirname(UV)}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def served(tmp_path):
    """A folder with three wheels, of which one needs another."""
    folder = tmp_path / "served"
    wheel(folder, "alpha", version="1.0", requires=["beta"])
    wheel(folder, "alpha", version="1.1", requires=["beta"])
    wheel(folder, "beta")
    return folder


@pytest.fixture
def private(served):
    """An index with a password; nobody else has these names."""
    with index(served, user=f"me:{PASSWORD}") as running:
        yield running


def with_password(url: str, password: str = ESCAPED) -> str:
    return url.replace("://", f"://me:{password}@")


def locked(found) -> list[str]:
    return [one.title for one in found.new_lock.wheels]


def by_variable(monkeypatch, tmp_path, url):
    monkeypatch.setenv("UV_DEFAULT_INDEX", with_password(url))


def by_names_of_their_own(monkeypatch, tmp_path, url):
    monkeypatch.setenv("UV_INDEX", f"my-own={url}")
    monkeypatch.setenv("UV_INDEX_MY_OWN_USERNAME", "me")
    monkeypatch.setenv("UV_INDEX_MY_OWN_PASSWORD", PASSWORD)


def by_uv_toml(monkeypatch, tmp_path, url):
    folder = tmp_path / "home" / ".config" / "uv"
    folder.mkdir(parents=True)
    (folder / "uv.toml").write_text(f'[[index]]\nurl = "{with_password(url)}"\ndefault = true\n')


def by_netrc(monkeypatch, tmp_path, url):
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1\nlogin me\npassword {PASSWORD}\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("UV_INDEX_URL", url)


def by_keyring(monkeypatch, tmp_path, url):
    text = (
        "import json, sys\n"
        f'found = {{"username": "me", "password": {PASSWORD!r}}}\n'
        'print(json.dumps(found) if "--mode=creds" in sys.argv else found["password"])\n'
    )
    program(tmp_path / "bin", "keyring", text)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("UV_KEYRING_PROVIDER", "subprocess")
    monkeypatch.setenv("UV_DEFAULT_INDEX", url.replace("://", "://me@"))


def by_pip_variable(monkeypatch, tmp_path, url):
    monkeypatch.setenv("PIP_INDEX_URL", with_password(url))


def by_pip_extra_index(monkeypatch, tmp_path, url):
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", with_password(url))
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")


def by_pip_conf(monkeypatch, tmp_path, url):
    folder = tmp_path / "home" / ".config" / "pip"
    folder.mkdir(parents=True)
    (folder / "pip.conf").write_text(f"[global]\nindex-url = {with_password(url)}\n")


def by_pip_conf_for_one_command(monkeypatch, tmp_path, url):
    (tmp_path / "pip.conf").write_text(f"[download]\nindex-url = {with_password(url)}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))


def by_both(monkeypatch, tmp_path, url):
    by_variable(monkeypatch, tmp_path, url)
    by_pip_variable(monkeypatch, tmp_path, url)


WAYS = [
    by_variable, by_names_of_their_own, by_uv_toml, by_netrc, by_keyring, by_pip_variable,
    by_pip_extra_index, by_pip_conf, by_pip_conf_for_one_command, by_both,
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS, ids=[one.__name__ for one in WAYS])
def test_an_index_that_one_of_uv_and_pip_knows_is_enough(
    way, tmp_path, work, private, monkeypatch, capsys
):
    """Also for a lock on a machine that has none of its wheels."""
    way(monkeypatch, tmp_path, private.url)
    root = project(tmp_path, '["alpha"]')
    output = tmp_path / "a.cloacina"
    command = ["package", str(root), "--vendor", "-o", str(output), "-v"]
    assert start([*command, "--no-sign"]) == 0
    first = output.read_bytes()
    shutil.rmtree(os.environ["CLOACINA_CTL_CACHE_DIR"])
    assert start([*command, "--no-sign", "--locked", "--force"]) == 0
    assert output.read_bytes() == first
    written = (root / VENDOR_LOCK).read_text()
    assert f'"{private.url.removesuffix("simple")}files/alpha-1.1-py3-none-any.whl"' in written
    said = capsys.readouterr()
    assert not [one for one in (PASSWORD, ESCAPED) if one in said.out + said.err + written]


@pytest.mark.parametrize("variable", ["PIP_CONSTRAINT", "UV_CONSTRAINT"])
def test_constraints_that_one_of_them_was_told_of_count(
    variable, tmp_path, work, served, monkeypatch
):
    (tmp_path / "limits.txt").write_text("alpha<1.1\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, "limits.txt")
    root = project(tmp_path, '["alpha"]')
    with index(served) as running:
        monkeypatch.setenv("UV_DEFAULT_INDEX", running.url)
        assert locked(vendored(root, work)) == ["alpha 1.0", "beta 1.0"]
        monkeypatch.delenv("UV_DEFAULT_INDEX")
        monkeypatch.setenv("PIP_INDEX_URL", running.url)
        assert locked(vendored(root, work)) == ["alpha 1.0", "beta 1.0"]


def certificates(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """Return a server's side for localhost, and the file with the authority behind it."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = dt.datetime.now(dt.timezone.utc)

    def made(name, key, issuer, signer, extension):
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(
            issuer or subject, subject, key.public_key(), x509.random_serial_number(),
            now - dt.timedelta(days=1), now + dt.timedelta(days=1),
        )  # fmt: skip
        return builder.add_extension(extension, critical=False).sign(signer, hashes.SHA256())

    own, other = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = made("authority", own, None, own, x509.BasicConstraints(ca=True, path_length=None))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    leaf = made("localhost", other, root.subject, own, names)
    pem = serialization.Encoding.PEM
    (folder / "authority.pem").write_bytes(root.public_bytes(pem))
    key = other.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.pem").write_bytes(key + leaf.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context, folder / "authority.pem"


@pytest.mark.parametrize("index_of", ["UV_DEFAULT_INDEX", "PIP_INDEX_URL"])
@pytest.mark.parametrize("authority_of", ["SSL_CERT_FILE", "PIP_CERT"])
def test_an_authority_that_one_of_uv_and_pip_trusts_is_enough(
    index_of, authority_of, tmp_path, work, served, monkeypatch
):
    context, authority = certificates(tmp_path)
    root = project(tmp_path, '["alpha"]')
    with index(served, tls=context) as running:
        monkeypatch.setenv(index_of, running.url)
        with pytest.raises(NetworkProblem) as error:
            vendored(root, work)
        message = error.value.diagnostics[0].message
        assert "certificate" in message
        assert running.url in message
        monkeypatch.setenv(authority_of, str(authority))
        assert locked(vendored(root, work)) == ["alpha 1.1", "beta 1.0"]


CHOOSERS = {"uv": "UV_DEFAULT_INDEX", "pip": "PIP_INDEX_URL"}


@pytest.mark.parametrize("chooser", CHOOSERS)
@pytest.mark.parametrize("status", [401, 403, 500, 503])
def test_an_index_that_refuses_is_named_with_its_answer(
    status, chooser, tmp_path, work, served, monkeypatch, capsys
):
    root = project(tmp_path, '["alpha"]')
    user = f"me:{PASSWORD}" if status == 401 else None
    with index(served, user=user, status=200 if status == 401 else status) as running:
        monkeypatch.setenv(CHOOSERS[chooser], with_password(running.url, "wrong-password"))
        assert start(["package", str(root), "--vendor", "-o", str(tmp_path / "x")]) == 7
    said = capsys.readouterr().err
    assert "error[N019]" in said
    assert str(status) in said
    assert running.url in said
    assert "wrong-password" not in said
    assert "pip wheel" not in said
    assert "No matching distribution" not in said


@pytest.mark.parametrize("chooser", CHOOSERS)
@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/simple", "https://index.invalid/simple"], ids=["refused", "unknown"]
)
def test_an_index_that_is_not_there_is_named(url, chooser, tmp_path, work, monkeypatch):
    root = project(tmp_path, '["alpha"]')
    monkeypatch.setenv(CHOOSERS[chooser], with_password(url, "wrong-password"))
    with pytest.raises(NetworkProblem) as error:
        vendored(root, work)
    (problem,) = error.value.diagnostics
    assert problem.code is Code.INDEX_FAILED
    assert url in problem.message
    assert "wrong-password" not in problem.message
    assert "Traceback" not in problem.message


def test_a_proxy_that_wants_a_password_is_named(tmp_path, work, served, monkeypatch):
    root = project(tmp_path, '["alpha"]')
    for chooser in CHOOSERS.values():
        with index(served, status=407) as running, monkeypatch.context() as patch:
            patch.setenv(chooser, "http://index.example/simple")
            patch.setenv("HTTP_PROXY", running.url.removesuffix("/simple"))
            patch.setenv("PIP_TRUSTED_HOST", "index.example")
            with pytest.raises(NetworkProblem) as error:
                vendored(root, work)
            assert "407" in error.value.diagnostics[0].message


@pytest.mark.parametrize("chooser", CHOOSERS)
def test_a_name_that_an_index_does_not_have_is_no_problem_of_the_network(
    chooser, tmp_path, work, served, monkeypatch
):
    root = project(tmp_path, '["nobody-has-this"]')
    with index(served) as running:
        monkeypatch.setenv(CHOOSERS[chooser], running.url)
        ((code, message),) = refused(root, work)
    assert code is Code.RESOLVING
    assert "nobody-has-this" in message.replace("_", "-")


def test_pip_does_not_look_elsewhere_for_what_uv_was_told_of(tmp_path, work, private, monkeypatch):
    """Somebody else may have the names on the index that pip knows."""
    root = project(tmp_path, '["alpha"]')
    by_variable(monkeypatch, tmp_path, private.url)
    with pytest.raises(Refused) as error:
        vendored(root, work, platforms=("linux_x86_64",))
    (problem,) = error.value.diagnostics
    assert problem.code is Code.INDEX_UNKNOWN
    assert "the index is configured for uv only" in problem.message
    assert "UV_DEFAULT_INDEX" in problem.message
    monkeypatch.setenv("PATH", os.path.dirname(sys.executable) + "-none")
    with pytest.raises(Refused, match="uv is not installed"):
        vendored(root, work)
    lock(root, wheel(tmp_path / "house", "alpha"))
    with pytest.raises(Refused, match="the lock has no address of alpha-1"):
        vendored(root, work)


def test_a_wheel_that_changed_on_the_index_is_not_taken_for_the_locked_one(
    tmp_path, work, private, served, monkeypatch
):
    root = project(tmp_path, '["alpha"]')
    by_variable(monkeypatch, tmp_path, private.url)
    write_lock(str(root), vendored(root, work).new_lock)
    shutil.rmtree(os.environ["CLOACINA_CTL_CACHE_DIR"])
    shutil.rmtree(os.environ["UV_CACHE_DIR"])
    wheel(served, "beta", {"beta.py": "other = True\n"})
    assert refused(root, work)[0][0] is Code.WHEEL_DIGEST


def test_an_index_that_pip_knows_is_asked_where_the_address_in_the_lock_is_out_of_reach(
    tmp_path, work, served, monkeypatch
):
    root = project(tmp_path, '["alpha"]')
    with index(served) as first:
        monkeypatch.setenv("PIP_INDEX_URL", first.url)
        write_lock(str(root), vendored(root, work).new_lock)
    shutil.rmtree(os.environ["CLOACINA_CTL_CACHE_DIR"])
    with pytest.raises(NetworkProblem) as error:
        vendored(root, work, locked=True)
    assert f"{first.url.removesuffix('simple')}files/" in error.value.diagnostics[0].message
    with index(served) as mirror:
        monkeypatch.setenv("PIP_INDEX_URL", mirror.url)
        assert vendored(root, work, locked=True).files
        shutil.rmtree(os.environ["CLOACINA_CTL_CACHE_DIR"])
        monkeypatch.setenv("UV_DEFAULT_INDEX", mirror.url)
        assert vendored(root, work, locked=True).files


PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"
INSTALLERS = {
    "uv": [UV, "pip", "install", "--quiet", "--python", sys.executable],
    "pip": [sys.executable, "-m", "pip", "install", "--quiet"],
}


@pytest.mark.parametrize("installer", INSTALLERS)
@pytest.mark.parametrize("place", ["an index", "a folder"])
def test_uv_and_pip_install_from_the_lock_what_is_vendored(
    place, installer, tmp_path, work, served, monkeypatch
):
    root = project(tmp_path, '["alpha", "native"]')
    tag = f"cp{PYTHON.replace('.', '')}-abi3-manylinux_2_17_"
    wheel(served, "native", {"native.so": library()}, tag=f"{tag}x86_64")
    wheel(served, "native", {"native.so": library(machine=AARCH64)}, tag=f"{tag}aarch64")
    platforms = ("manylinux_2_28_aarch64", "manylinux_2_28_x86_64")
    with index(served) as running:
        monkeypatch.setenv("UV_DEFAULT_INDEX", running.url)
        house = served if place == "a folder" else None
        write_lock(
            str(root), vendored(root, work, house, python=PYTHON, platforms=platforms).new_lock
        )
        there = tmp_path / "there"
        words = [*INSTALLERS[installer], "--target", there, "-r", root / VENDOR_LOCK]
        subprocess.run([*words, "--no-index"] if house else words, check=True)
    installed = {path.name for path in there.glob("*.dist-info")}
    assert installed == {f"{one}.dist-info" for one in ("alpha-1.1", "beta-1.0", "native-1.0")}
    assert platform.machine() in (there / "native-1.0.dist-info" / "WHEEL").read_text()


@pytest.mark.parametrize("chooser", CHOOSERS)
def test_an_address_in_the_metadata_of_a_wheel_is_not_followed(
    chooser, tmp_path, work, served, monkeypatch
):
    """Neither from an index nor from a folder: nobody of the project has named it."""
    root = project(tmp_path, '["needy"]')
    other = wheel(tmp_path / "other", "elsewhere")
    with index(other.parent) as away, index(served) as running:
        address = f"{away.url.removesuffix('/simple')}/files/{other.name}"
        house = wheel(tmp_path / "house", "needy", requires=[f"elsewhere @ {address}"]).parent
        shutil.copy(house / "needy-1.0-py3-none-any.whl", served)
        monkeypatch.setenv(CHOOSERS[chooser], running.url)
        if chooser == "pip":
            monkeypatch.setattr(programs, "find_uv", lambda: None)
        for options in ({}, {"house": house}):
            with pytest.raises((BuildFailed, Refused)) as error:
                vendored(root, work, **options)
            (problem,) = error.value.diagnostics
            assert address in problem.message
            assert "--vendor-source" in problem.hint
        given = (("elsewhere", str(other)),)
        if chooser == "uv":
            assert locked(vendored(root, work, sources=given)) == ["elsewhere 1.0", "needy 1.0"]
        assert away.asked == []
