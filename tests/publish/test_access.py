"""Which server, which token; and that nobody but the server is told the token."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import subprocess
import sys

import pytest

from cloacina_ctl.errors import CloacinaError, Code, NotTrusted, UsageError
from cloacina_ctl.operations.publication.access import AccessRequest, find_access
from cloacina_ctl.server.profiles import find_profile
from cloacina_ctl.server.token import MASK, Token
from tests.support.cloacina_server import TENANT, WRITE
from tests.support.json_schemas import judge
from tests.support.projects import ROOT
from tests.support.sockets import Listener

URL = "http://127.0.0.1:8080"


@pytest.fixture
def config(home):
    """Write `~/.cloacina/config.toml`."""

    def write(text: str, mode: int = 0o600):
        folder = home / ".cloacina"
        folder.mkdir(exist_ok=True)
        path = folder / "config.toml"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def found(**request):
    return find_access(AccessRequest(**request))


def code_of(**request):
    with pytest.raises(CloacinaError) as caught:
        found(**request)
    return type(caught.value), caught.value.diagnostics[0].code


def test_a_flag_wins_over_the_environment_over_the_profile_over_typing(
    config, tmp_path, monkeypatch
):
    config(f'default_profile = "a"\n[profiles.a]\nserver = "{URL}"\napi_key = "of-profile"\n')
    asked = []

    def token(**request):
        return find_access(AccessRequest(**request), lambda what: asked.append(what) or b"typed")

    assert token().token.reveal() == "of-profile"
    monkeypatch.setenv("CLOACINA_CTL_TOKEN", "of-environment")
    assert token().token.reveal() == "of-environment"
    (tmp_path / "token").write_bytes(b"of-file\r\n")
    assert token(token_file=str(tmp_path / "token")).token.reveal() == "of-file"
    monkeypatch.delenv("CLOACINA_CTL_TOKEN")
    assert asked == []
    assert token(server="https://elsewhere.example").token.reveal() == "typed"
    assert asked == ["https://elsewhere.example"]


def test_a_profiles_key_goes_to_the_profiles_server_alone(config):
    config(f'[profiles.a]\nserver = "{URL}/base"\napi_key = "of-profile"\n')
    assert found(profile="a").address.url == f"{URL}/base"
    assert found(profile="a", server=f"{URL}/other").token.reveal() == "of-profile"
    assert code_of(profile="a", server="http://127.0.0.1:8081") == (NotTrusted, Code.NO_TOKEN)
    assert code_of(server=URL) == (NotTrusted, Code.NO_TOKEN)


def test_a_key_by_variable_or_file(config, tmp_path, monkeypatch):
    (tmp_path / "key").write_text("in-file\n")
    config(
        f'[profiles.e]\nserver = "{URL}"\napi_key = "env:MY_KEY"\n'
        f'[profiles.f]\nserver = "{URL}"\napi_key = "file:{tmp_path}/key"\n'
        f'[profiles.g]\nserver = "{URL}"\napi_key = "file:{tmp_path}/absent"\n'
        f'[profiles.k]\nserver = "{URL}"\napi_key = "keyring:x"\n'
        f'[profiles.n]\nserver = "{URL}"\n',
        0o644,
    )
    monkeypatch.setenv("MY_KEY", "in-variable")
    assert found(profile="e").token.reveal() == "in-variable"
    assert found(profile="f").token.reveal() == "in-file"
    assert found(profile="f").warnings == ()
    monkeypatch.delenv("MY_KEY")
    assert code_of(profile="e") == (NotTrusted, Code.NO_TOKEN)
    assert code_of(profile="g")[1] == Code.NOT_FOUND
    assert code_of(profile="k") == (UsageError, Code.BAD_PROFILE)
    assert code_of(profile="n") == (NotTrusted, Code.NO_TOKEN)


def test_a_key_that_others_can_read_is_a_warning(config):
    config(f'default_profile = "a"\n[profiles.a]\nserver = "{URL}"\napi_key = "k"\n', 0o644)
    (warning,) = found().warnings
    assert (warning.code, warning.severity.value) == (Code.NO_TOKEN, "warning")


@pytest.mark.parametrize(
    "text",
    [
        "",
        'default_profile = "b"\n',
        "default_profile = 1\n",
        "profiles = 1\n",
        '[profiles.a]\napi_key = "k"\n',
        '[profiles.a]\nserver = 1\napi_key = "k"\n',
        f'[profiles.a]\nserver = "{URL}"\napi_key = 1\n',
        "[profiles.a\n",
        'default_profile = "sekrit',
    ],
)
def test_a_profile_that_cannot_be_used_is_said_without_its_key(config, text):
    config(text)
    with pytest.raises(UsageError) as caught:
        found(profile="a")
    assert caught.value.diagnostics[0].code in (Code.BAD_PROFILE, Code.USAGE)
    assert "sekrit" not in repr(caught.value.diagnostics)


def test_no_file_and_no_default_is_no_profile(config, home):
    assert find_profile(None, str(home)) is None
    assert code_of() == (UsageError, Code.USAGE)
    assert code_of(profile="a") == (UsageError, Code.BAD_PROFILE)
    config("[daemon]\npoll_interval_ms = 500\n")
    assert find_profile(None, str(home)) is None
    path = config("")
    path.unlink()
    path.mkdir()
    assert code_of(profile="a")[1] == Code.NOT_REGULAR


def test_a_near_profile_is_named(config):
    config(f'[profiles.production]\nserver = "{URL}"\n')
    with pytest.raises(UsageError) as caught:
        found(profile="producton")
    assert "production" in caught.value.diagnostics[0].hint


def test_plain_http_to_another_machine_needs_leave():
    assert code_of(server="http://build.example:8080")[1] == Code.INSECURE
    assert code_of(server="http://build.example:8080", allow_http=True)[1] == Code.NO_TOKEN
    assert code_of(server="http://localhost:8080")[1] == Code.NO_TOKEN


@pytest.mark.parametrize("text", ["", " \n", "two words", "a\nb", "bad\x7f", "é", "x" * 5000])
def test_what_is_no_token_is_never_sent_or_shown(text, tmp_path):
    path = tmp_path / "token"
    path.write_text(text)
    with pytest.raises(NotTrusted) as caught:
        found(server=URL, token_file=str(path))
    words = repr(caught.value.diagnostics)
    assert str(path) in words
    assert not text.strip() or text[:100] not in words


def test_a_token_shows_itself_nowhere():
    token = Token("clk_secret", "a test")
    assert "secret" not in f"{token} {token!r}"
    assert token.masked("<clk_secret>") == f"<{MASK}>"


KEYRING = """\
class _Errors:
    class KeyringError(Exception):
        pass


def get_password(service, user):
    if user.endswith(":1"):
        from keyring.errors import KeyringError

        raise KeyringError
    return f"kept-for-{user.rpartition(':')[2]}" if service == "cloacina-ctl" else None
"""


def test_a_keyring_is_asked_where_it_is_installed(tmp_path):
    package = tmp_path / "keyring"
    package.mkdir()
    (package / "__init__.py").write_text(KEYRING)
    (package / "errors.py").write_text("class KeyringError(Exception):\n    pass\n")
    code = (
        "from cloacina_ctl.operations.publication.access import *\n"
        "print(find_access(AccessRequest(server='http://127.0.0.1:99')).token.reveal())\n"
        "try:\n    find_access(AccessRequest(server='http://127.0.0.1:1'))\n"
        "except NotTrusted as error:\n    print(error.diagnostics[0].code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )  # fmt: skip
    assert done.stdout.split() == ["kept-for-99", "N008"], done.stderr


def on_a_terminal(url, package, typed):
    """Publish on a terminal, and type when a token is asked for; return what was said, and how."""
    child, terminal = pty.fork()
    if not child:
        words = ["publish", str(package), "--allow-unsigned", "--server", url, "--tenant",
                 TENANT, "-q"]  # fmt: skip
        os.chdir(ROOT)
        os.execv(sys.executable, [sys.executable, "-m", "cloacina_ctl", *words])
    said, answered = b"", False
    with contextlib.suppress(OSError):  # the terminal ends with the program
        while data := os.read(terminal, 1000):
            said += data
            if b"Token for http://127.0.0.1" in said and not answered:
                answered = True
                os.write(terminal, typed.encode() + b"\n")
    os.close(terminal)
    return said, answered, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_token_can_be_typed_on_a_terminal_and_is_not_echoed(server, package):
    server.asleep = False
    said, answered, status = on_a_terminal(server.url, package, WRITE)
    assert (answered, status) == (True, 0), said
    assert WRITE.encode() not in said
    assert len(server.uploads) == 1


def test_nobody_types_a_token_for_a_server_that_is_not_there(package):
    with Listener(lambda line: None) as gone:
        url = gone.url
    said, answered, status = on_a_terminal(url, package, WRITE)
    assert (answered, status) == (False, 7), said
    assert b"nothing listens there" in said


def test_without_a_terminal_nothing_is_waited_for(server, package):
    done = subprocess.run(
        [sys.executable, "-m", "cloacina_ctl", "publish", str(package), "--server", server.url,
         "--allow-unsigned", "--json"],
        capture_output=True, stdin=subprocess.DEVNULL, start_new_session=True, cwd=ROOT,
        check=False, timeout=30,
    )  # fmt: skip
    assert done.returncode == 4
    answer = json.loads(done.stdout)
    judge(answer)
    assert answer["diagnostics"][0]["code"] == "N008"
    assert server.asked == []
