"""What is read of the user's own settings for uv and pip."""

from __future__ import annotations

import os

import pytest

from cloacina_ctl.vendoring.installers.configuration import users
from cloacina_ctl.vendoring.installers.programs import network_reasons


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A user without any settings."""
    for name in [
        one for one in os.environ if one.startswith(("PIP_", "UV_", "SSL_", "XDG_", "REQUESTS_"))
    ]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "environment"))
    return tmp_path


def write(home, path, text):
    (home / path).parent.mkdir(parents=True, exist_ok=True)
    (home / path).write_text(text)


def test_nothing_is_told_by_the_public_index(home, monkeypatch):
    monkeypatch.setenv("PIP_INDEX_URL", "https://pypi.org/simple/")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "pypi=https://pypi.org/simple")
    assert users().pip.places == users().uv.places == ()
    monkeypatch.setenv("PIP_NO_INDEX", "false")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://pypi.org/simple https://example.org/simple")
    assert users().prefer_pip


@pytest.mark.parametrize(
    "path",
    [".config/pip/pip.conf", ".pip/pip.conf", "environment/pip.conf"],
)
def test_files_of_pip_are_read_and_the_last_one_counts(path, home, monkeypatch):
    text = "[global]\nindex_url = https://example.org/a%20b\ntrusted-host = one two\n"
    write(home, path, f"{text}[download]\n--cert = /ca.pem\n[install]\nfind-links = /no\n")
    told = users().pip
    assert told.urls == ("https://example.org/a%20b",)
    assert (told.authority, told.hosts) == ("/ca.pem", ("one", "two"))
    assert told.places == (f"index-url in {home / path}",)
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.org/other")
    assert users().pip.places == ("PIP_INDEX_URL",)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert users().pip.authority is None


def test_files_that_their_programs_cannot_read_say_nothing(home):
    write(home, ".config/pip/pip.conf", "index-url = https://example.org\n")
    write(home, ".config/uv/uv.toml", "index-url = \n")
    assert not users().prefer_pip
    assert not users().prefer_uv


def test_uvs_own_file_and_variables_are_read(home, monkeypatch):
    write(
        home,
        ".config/uv/uv.toml",
        'keyring-provider = "subprocess"\nallow-insecure-host = ["one"]\n'
        '[[index]]\nname = "my.own"\nurl = "https://example.org/simple"\n'
        '[pip]\nextra-index-url = ["https://me:pw@example.com/simple"]\n',
    )
    monkeypatch.setenv("UV_INDEX_MY_OWN_PASSWORD", "a/b")
    told = users()
    assert told.uv.hosts == ("one",)
    assert told.keyring
    assert told.prefer_uv
    assert (
        told.addressed("https://example.org/files/a.whl")
        == "https://:a%2Fb@example.org/files/a.whl"
    )
    assert told.addressed("https://example.com/a.whl") == "https://me:pw@example.com/a.whl"
    assert told.addressed("http://example.com/a.whl") == "http://example.com/a.whl"
    assert told.addressed("https://example.com:444/a.whl") == "https://example.com:444/a.whl"
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    assert not users().prefer_uv


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (
            "WARNING: 401 Error, Credentials not correct for http://h/simple/a/",
            "401 Error, Credentials not correct for http://h/simple/a/",
        ),
        (
            "Could not fetch URL http://h/simple/a/: 403 Client Error: Forbidden - skipping",
            "http://h/simple/a/: 403 Client Error: Forbidden",
        ),
        ("ERROR: Could not find a version that satisfies the requirement certifi", None),
        ("Could not fetch URL http://h/simple/a/: 404 Client Error: Not Found - skipping", None),
        ("ERROR: No matching distribution found for proxy-tools", None),
        ("ERROR: No matching distribution found for ssl", None),
    ],
)
def test_what_counts_as_the_networks_fault(said, reason):
    assert network_reasons([said]) == ([reason] if reason else [])
