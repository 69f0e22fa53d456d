"""A user, a source package, a server that works, and the command run in this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.cache import VARIABLE, cache_folder
from tests.support.cli import Outcome
from tests.support.cloacina_server import QUICK, TENANT, WRITE, Cloacina
from tests.support.legacy import version_of
from tests.support.user import be_user

if TYPE_CHECKING:
    from pathlib import Path

PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch) -> Path:
    """A user of this test's own: no keys, no profile, no token, no proxy."""
    folder = tmp_path_factory.mktemp("home")
    for variable, usual in (("CARGO_HOME", "~/.cargo"), ("RUSTUP_HOME", "~/.rustup")):
        monkeypatch.setenv(variable, os.environ.get(variable) or os.path.expanduser(usual))
    monkeypatch.setenv(VARIABLE, str(cache_folder()))
    monkeypatch.setenv("HOME", str(folder))
    be_user(folder / "config", monkeypatch)
    for name in (*PROXIES, *map(str.upper, PROXIES)):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def quick(monkeypatch):
    """The command with a pace at which a test need not wait."""
    from cloacina_ctl.operations import publish

    monkeypatch.setattr(publish.PublishRequest, "_field_defaults",
                        {**publish.PublishRequest._field_defaults, "pace": QUICK})  # fmt: skip


@pytest.fixture
def package(tmp_path) -> Path:
    """A source package that nobody signed."""
    path = tmp_path / "x.cloacina"
    path.write_bytes(version_of())
    return path


@pytest.fixture
def server():
    with Cloacina() as found:
        yield found


@pytest.fixture
def token_file(tmp_path) -> Path:
    path = tmp_path / "token"
    path.write_text(WRITE + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture
def run(cli):
    return cli


@pytest.fixture
def publish(run, package, server, token_file, quick):
    """Publish the package to the server, with more words."""

    def command(*words, path=package, json=True) -> Outcome:
        rest = () if "--token-file" in words else ("--token-file", token_file)
        rest += () if {"--server", "--profile"} & set(words) else ("--server", server.url)
        rest += () if "--tenant" in words else ("--tenant", TENANT)
        rest += ("--json",) if json else ()
        return run("publish", path, "--allow-unsigned", *rest, *words)

    return command
