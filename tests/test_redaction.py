"""What looks like a secret, and what is left of a text that holds one."""

from __future__ import annotations

import base64
import os

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloacina_ctl import redaction
from cloacina_ctl.redaction import HIDDEN, looks_key, looks_secret, redacted, shown, shown_word
from tests.cli.secret_places import HEX, SHAPED

NAMES = (
    "release", "release-2026", "team.alice_1", "x.cloacina", "keys/release.pem", "a b.pem", "-",
    "/home/Builder1/Projects/CloacinaKeys/release", "../keys/Release2026KeyFile",
    "Release2026-Acme-Corporation-Signing-Key", "env:SIGNING_KEY", "manylinux_2_28_x86_64",
    "/tmp/pytest-of-root/pytest-0/test_refuses_what_is_not_there0/project",
    "https://index.example.org/simple", "ssh://git@example.org/a/b",
    "internationalization_of_very_long_names", "3f2a9c41", "größe/日本語",
)  # fmt: skip


@pytest.fixture(autouse=True)
def forgotten():
    redaction.begin(())
    yield
    redaction.begin(())


@pytest.mark.parametrize("name", NAMES)
def test_names_and_paths_are_shown(name):
    assert not looks_secret(name)
    assert not looks_key(name)
    assert shown(name) == name
    assert redacted(name) == name


@pytest.mark.parametrize("canary", [*SHAPED, HEX], ids=lambda one: one.name)
def test_a_secret_is_known_by_its_shape(canary):
    assert looks_secret(canary.text)
    assert canary.secret not in shown(canary.text)
    assert HIDDEN in shown(canary.text)
    assert HIDDEN in shown_word(canary.text)


@example(
    b"\xff\xf0" + bytes(6) + b"/49;FGOair\x85\x8b\xa0\xb0\xb1\xb2\xbd\xc0\xfd\xd3\xd7\xde\xf2\xf7"
)
@given(st.binary(min_size=32, max_size=32))
def test_32_bytes_in_hex_are_never_shown_and_in_base64_only_where_they_are_no_randomness(data):
    assert shown(data.hex()) == HIDDEN
    assert looks_key(base64.b64encode(data).decode())  # ends with padding, whatever it holds


def test_random_keys_in_base64_are_known_without_their_padding():
    keys = [base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=") for _ in range(2000)]
    missed = [key for key in keys if not looks_secret(key)]
    assert len(missed) < 20  # by the figures one in a thousand


def test_a_file_that_is_there_is_no_secret_whatever_it_is_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "Zq81xkPw9vLmTr6yHb3NcJd5Fs0Ga2Ue"
    assert shown(name) == HIDDEN
    assert shown(f"{tmp_path}/{name}") == f"{tmp_path}/{name}"  # it may be about to be made
    (tmp_path / name).touch()
    assert shown(name) == name


@pytest.mark.parametrize("spelling", ["0x{}", "env:{}", "fd:{}", "-{}", "--{}"])
def test_hex_with_a_mark_before_it_is_no_less_secret(spelling):
    text = spelling.format(HEX.secret)
    assert shown(text) == HIDDEN
    assert looks_key(text)


@pytest.mark.parametrize("spelling", ["0x{}", "env:{}", "--{}"])
def test_hex_with_a_mark_on_the_command_line_is_shown_in_no_text(spelling):
    redaction.begin(["run", spelling.format(HEX.secret)])
    assert HEX.secret not in redacted(f"not installed: {spelling.format(HEX.secret)}")
    assert HEX.secret[8:40] not in redacted(f"not installed: {HEX.secret[8:40]}")


def test_bytes_as_openssl_prints_them_are_not_shown_and_may_be_a_fingerprint():
    text = ":".join(HEX.secret[at : at + 2] for at in range(0, 64, 2))
    assert shown(text) == HIDDEN
    assert not looks_key(text)
    assert shown("MD5:" + text[:47]) != HIDDEN


def test_a_fingerprint_is_no_key_and_a_content_is_no_secret():
    assert shown("sha256:" + "ab12" * 16) == "sha256:" + "ab12" * 16
    assert not looks_key("ab12" * 16)
    assert looks_key("ab12" * 32)


@pytest.mark.parametrize("text", ["one\ntwo", "x" * 65, "short=="])
def test_no_key_has_such_a_name(text):
    assert looks_key(text)


def test_a_known_secret_is_masked_in_whole_and_in_pieces():
    redaction.remember("a-long-token-of-somebody", "[token]")
    assert redacted("<a-long-token-of-somebody>") == "<[token]>"
    assert redacted("... en-of-somebody ...") == "... [token] ..."
    assert redacted("a-long") == "a-long"


def test_a_short_secret_is_masked_in_whole():
    redaction.remember("hunter2")
    assert redacted("hunter2: no such file") == f"{HIDDEN}: no such file"


def test_what_an_earlier_run_knew_is_forgotten():
    redaction.remember("hunter2")
    redaction.begin(())
    assert redacted("hunter2") == "hunter2"


def test_secrets_of_the_command_line_are_masked_wherever_they_are_cut():
    secret = SHAPED[3].text
    redaction.begin(("sign", f"--nothing={secret}"))
    assert redacted(f"no such option: {secret[:20]}") == f"no such option: {HIDDEN}"


def test_a_password_in_a_url_is_masked_and_the_host_stays():
    text = "cannot reach https://ada:s3cr3t@host.example/x"
    assert redacted(text) == f"cannot reach https://{HIDDEN}@host.example/x"


def test_a_private_key_is_masked_also_where_its_end_is_cut_off():
    pem = SHAPED[0].text
    assert redacted(f"found: {pem}") == f"found: {HIDDEN}"
    assert redacted(f"found: {pem[:60]}") == f"found: {HIDDEN}"
    assert redacted("found: " + pem.replace("\n", "\\n") + '"').startswith(f"found: {HIDDEN}")


@given(st.text("eyJ.:/@-=+ \\nclk_PRIVATEKEYBGNaA0xob", max_size=300))
def test_any_text_can_be_masked_twice_without_a_change(text):
    assert redacted(redacted(text)) == redacted(text)


def test_a_long_text_is_masked_in_no_time_worth_speaking_of():
    for piece in ("eyJ", "://", ":", "-----BEGIN ", "clk", "xoxb-", "A ", "=", '"auths":{'):
        assert redacted(piece * 100_000) is not None


def test_a_short_secret_is_masked_as_a_word_and_not_inside_of_others():
    redaction.remember("key")
    assert redacted("--key KEY: key, keys, key-file") == f"--key KEY: {HIDDEN}, keys, key-file"
