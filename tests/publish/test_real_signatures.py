"""`publish` against a real server that wants signatures, with `--require-signatures`.

It looks for them in tables of its database, and no upload and no program puts them there: its
operator has to. The file that `sign` writes beside a package holds all that goes in.
"""

from __future__ import annotations

import base64
import json
import uuid

import pytest

from cloacina_ctl.operations import keys
from tests.publish import real
from tests.support.legacy import version_of as source

pytestmark = [pytest.mark.slow, pytest.mark.server]

ORGANISATION = str(uuid.UUID(int=7))


@pytest.fixture(scope="module")
def server():
    with real.RealServer(
        "--require-signatures", "--verification-org-id", ORGANISATION
    ) as found:  # fmt: skip
        yield found


@pytest.fixture
def signed(run, tmp_path):
    """Make a signed package; return its path and what its sidecar says."""
    keys.generate_key()

    def make(data=None):
        path = tmp_path / "x.cloacina"
        path.write_bytes(data or source())
        assert run("sign", path).status == 0
        return path, json.loads((tmp_path / "x.cloacina.sig").read_text())

    return make


@pytest.fixture
def publish(run, tmp_path, server):
    (tmp_path / "token").write_text(real.WRITE)

    def command(path, *words):
        return run(
            "publish", path, "--json", "--server", server.url, "--tenant", real.TENANT,
            "--token-file", tmp_path / "token", *words,
        )  # fmt: skip

    return command


def enter(server, sidecar, schema="public", signature=None):
    """Enter what the sidecar says into the table of the schema, as the operator would."""
    raw = base64.b64decode(sidecar["signature"]) if signature is None else signature
    server.sql(
        f'INSERT INTO "{schema}".package_signatures (package_hash, key_fingerprint, signature) '
        f"VALUES ('{sidecar['package_hash']}', '{sidecar['key_fingerprint']}', '\\x{raw.hex()}') "
        "ON CONFLICT (package_hash, key_fingerprint) DO UPDATE SET signature = excluded.signature"
    )


def trust(server, sidecar, public_key: bytes):
    server.sql(
        "INSERT INTO trusted_keys (org_id, key_fingerprint, public_key, key_name) VALUES "
        f"('{ORGANISATION}', '{sidecar['key_fingerprint']}', '\\x{public_key.hex()}', 'ada')"
    )


def public_key(tmp_path) -> bytes:
    """Return the 32 bytes of the test user's key."""
    path = tmp_path / "raw.pub"
    keys.export_key(keys.ExportRequest("default", str(path), form="raw"))
    return path.read_bytes()


def refused(done, code):
    assert (done.status, done.codes) == (4, ["N007"]), done.err
    (found,) = (one for one in done.json["diagnostics"] if one["severity"] == "error")
    assert code in found["message"] + found["hint"]
    return found


def test_each_refusal_in_turn_and_what_the_operator_does_about_it(
    publish, signed, server, tmp_path
):
    path, sidecar = signed()
    found = refused(publish(path), "no signature row")
    assert sidecar["package_hash"] in found["hint"]
    enter(server, sidecar, signature=bytes(64))
    refused(publish(path), sidecar["key_fingerprint"])
    trust(server, sidecar, public_key(tmp_path))
    refused(publish(path), "cryptographic")
    enter(server, sidecar)
    done = publish(path, "--run", "--wait", "30")
    assert done.status == 0, server.log()[-4000:]
    server.sql("UPDATE trusted_keys SET revoked_at = now()")
    refused(publish(path), sidecar["key_fingerprint"])


def test_a_server_without_an_organisation_does_not_start():
    with pytest.raises(AssertionError, match="does not start"):
        real.RealServer("--require-signatures").__enter__()
