"""A user, a source package, a server that works, and the command run in this process."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, NamedTuple

import pytest

from cloacina_ctl.cli import main
from cloacina_ctl.operations.publication.deployment import Pace
from cloacina_ctl.server.bounded_socket import Patience
from tests.engines.cache import VARIABLE, cache_folder
from tests.foreign import archives
from tests.publish.cloacina import TENANT, WRITE, Cloacina

if TYPE_CHECKING:
    from pathlib import Path

QUICK = Pace(
    first=0.005,
    longest=0.01,
    awake=0.02,
    load=0.3,
    start=0.2,
    away=0.1,
    patience=Patience(
        connect=0.5, answer=2.0, leave=0.2, stall=1.0, first_pause=0.01, longest_pause=0.05, tries=3
    ),
)
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class Ended(NamedTuple):
    """How the command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)

    @property
    def codes(self):
        return [one["code"] for one in self.json["diagnostics"] if one["severity"] == "error"]


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch) -> Path:
    """A user of this test's own: no keys, no profile, no token, no proxy."""
    folder = tmp_path_factory.mktemp("home")
    for variable, usual in (("CARGO_HOME", "~/.cargo"), ("RUSTUP_HOME", "~/.rustup")):
        monkeypatch.setenv(variable, os.environ.get(variable) or os.path.expanduser(usual))
    monkeypatch.setenv(VARIABLE, str(cache_folder()))
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("CLOACINA_CTL_CONFIG_DIR", str(folder / "config"))
    for name in ("CLOACINA_CTL_TOKEN", "NO_COLOR", "FORCE_COLOR", "SSL_CERT_FILE",
                 *PROXIES, *map(str.upper, PROXIES)):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def quick(monkeypatch):
    """The command with a pace at which a test need not wait."""
    from cloacina_ctl.operations import publish

    monkeypatch.setattr(publish.PublishRequest, "_field_defaults",
                        {**publish.PublishRequest._field_defaults, "pace": QUICK})  # fmt: skip


def source(version: str = "1.0.0", **files: bytes) -> bytes:
    """Return a source package of that version, with its files replaced."""
    toml = archives.PACKAGE_TOML.replace(b'"1.0.0"', b'"%s"' % version.encode())
    tree = {**archives.SOURCE, "package.toml": toml, **files}
    return archives.bz2(archives.source_tar(tree, f"demo-{version}"))


@pytest.fixture
def package(tmp_path) -> Path:
    """A source package that nobody signed."""
    path = tmp_path / "x.cloacina"
    path.write_bytes(source())
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
def run(capsys):
    """Run a command; return how it ended and what it said."""

    def command(*words) -> Ended:
        status = main.run([str(word) for word in words])
        said = capsys.readouterr()
        return Ended(status, said.out, said.err)

    return command


@pytest.fixture
def publish(run, package, server, token_file, quick):
    """Publish the package to the server, with more words."""

    def command(*words, path=package, json=True) -> Ended:
        rest = () if "--token-file" in words else ("--token-file", token_file)
        rest += () if {"--server", "--profile"} & set(words) else ("--server", server.url)
        rest += () if "--tenant" in words else ("--tenant", TENANT)
        rest += ("--json",) if json else ()
        return run("publish", path, "--allow-unsigned", *rest, *words)

    return command
