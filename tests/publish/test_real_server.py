"""`publish` against the real server, its compiler and its database: nothing here is made up."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cloacina_ctl.errors import NetworkProblem
from cloacina_ctl.operations.publication.access import AccessRequest, find_access
from cloacina_ctl.operations.publish import PublishRequest
from cloacina_ctl.operations.publish import publish as publish_operation
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.publish import guide, real
from tests.publish.crate import CRATE
from tests.support import archives
from tests.support.legacy import version_of as source

pytestmark = [pytest.mark.slow, pytest.mark.server]


@pytest.fixture(scope="module")
def server():
    with real.RealServer() as found:
        yield found


@pytest.fixture
def publish(run, tmp_path, server):
    """Publish bytes to the real server, with more words; `json` of what it says."""
    token = tmp_path / "token"
    token.write_text(real.WRITE)
    token.chmod(0o600)

    def command(data, *words):
        path = tmp_path / "x.cloacina"
        path.write_bytes(data)
        rest = () if "--token-file" in words else ("--token-file", token)
        rest += () if "--tenant" in words else ("--tenant", real.TENANT)
        return run(
            "publish", path, "--allow-unsigned", "--json", "--server", server.url, *rest, *words
        )

    return command


def test_the_whole_cycle_of_a_python_package(publish):
    first = publish(source(), "--run", "--context", '{"day": "2026-11-20"}')
    assert first.status == 0
    result = first.json["result"]
    assert (result["status"], result["workflow"]) == ("loaded", "demo")
    assert sorted(result["tasks"]) == ["extract", "load"]
    assert result["run"]["status"] == "Completed"
    assert {(one["name"], one["status"]) for one in result["run"]["tasks"]} == {
        ("extract", "Completed"), ("load", "Completed"),
    }  # fmt: skip
    again = publish(source())
    assert again.json["result"]["package_id"] == result["package_id"]
    other = publish(source(**{"workflow/demo/more.py": b"MORE = 1\n"}))
    assert (other.status, other.codes) == (7, ["N011"])
    later = publish(source("1.1.0"))
    assert later.json["result"]["package_id"] != result["package_id"]
    older = publish(source())
    assert (older.status, older.codes) == (7, ["N011"])


def test_a_run_that_fails_says_which_task_and_why(publish):
    toml = archives.PACKAGE_TOML.replace(b'"demo"', b'"failing"', 1)
    toml = toml.replace(b'workflow_name = "demo"', b'workflow_name = "failing"')
    code = b'import cloaca\n\n\n@cloaca.task(id="only", retry_attempts=1)\ndef only(context):\n'
    code += b'    raise ValueError("no orders today")\n'
    done = publish(
        source(**{"package.toml": toml, "workflow/demo/tasks.py": code}), "--run", "--wait", "60"
    )
    assert (done.status, done.codes) == (1, ["N016"])
    assert done.json["result"]["run"]["tasks"][0]["status"] == "Failed"


def test_what_is_built_and_never_loaded_is_no_success(publish):
    toml = archives.PACKAGE_TOML.replace(b'"demo"', b'"unloadable"', 1)
    code = b"import a_module_that_is_nowhere\n" + archives.TASKS_PY
    data = source(**{"package.toml": toml, "workflow/demo/tasks.py": code})
    done = publish(data, "--wait", "8")
    assert (done.status, done.codes) == (7, ["N014"])


def test_a_failed_build_gives_the_compilers_words_and_uses_the_version_up(publish):
    data = archives.bz2(archives.source_tar(CRATE, "crate-demo-1.0.0"))
    done = publish(data)
    assert (done.status, done.codes) == (5, ["N012"])
    assert "the server's compiler says:" in done.err
    again = publish(data)
    assert (again.status, again.codes) == (5, ["N012"])
    repaired = publish(archives.bz2(archives.source_tar({**CRATE, "x": b""}, "crate-demo-1.0.0")))
    assert (repaired.status, repaired.codes) == (7, ["N011"])


def test_the_page_from_a_crate_to_the_server_word_by_word(server):
    """The compiler builds offline, with the crates that cargo's own cache has after the build."""
    with guide.crate() as crate:
        (Path.home() / "token").write_text(real.WRITE)
        for command in guide.commands():
            guide.run(command, crate, server.url)


def test_who_is_not_allowed_is_told_so(publish, tmp_path):
    token = tmp_path / "other"
    for text, code in (("clk_nobody", "401"), (real.READ, "403")):
        token.write_text(text)
        done = publish(source("9.0.0"), "--token-file", token)
        assert (done.status, done.codes) == (4, ["N007"])
        assert code in done.json["diagnostics"][0]["message"]
        assert text not in done.out + done.err
    done = publish(source("9.0.0"), "--tenant", "elsewhere")
    assert (done.status, done.codes) == (4, ["N007"])


def named(name: str, version: str = "1.0.0", **files: bytes) -> bytes:
    """Return a package of its own for a test, with the tasks `extract` and `load`."""
    toml = archives.PACKAGE_TOML.replace(b'"demo"', b'"%s"' % name.encode())
    toml = toml.replace(b'"1.0.0"', b'"%s"' % version.encode())
    return source(**{"package.toml": toml, **files})


def listed(server) -> dict[str, str]:
    """Return name and version of each package that the server lists."""
    answer = json.loads(server.ask(f"/v1/tenants/{real.TENANT}/workflows"))
    return {one["package_name"]: one["version"] for one in answer["items"]}


def test_a_dry_run_and_what_would_never_be_loaded_leave_nothing_there(publish, server):
    before = listed(server)
    assert publish(named("dry"), "--dry-run").json["result"]["status"] == "checked"
    toml = archives.PACKAGE_TOML.replace(b'"demo"', b'"wet"')
    for files in (
        {"package.toml": toml.replace(b'"1.0.0"', b'"banana"')},
        {"package.toml": toml, "workflow/demo/tasks.py": b"import cloaca\n"},
    ):
        assert publish(source(**files)).status == 3
    assert listed(server) == before


def test_the_profiles_that_users_have_are_read(run, server, home, tmp_path, monkeypatch):
    (home / ".cloacina").mkdir()
    (tmp_path / "key").write_text(f"{real.WRITE}\n")
    (home / ".cloacina" / "config.toml").write_text(
        f'default_profile = "b"\n'
        f'[profiles.a]\nserver = "{server.url}"\napi_key = "env:A_KEY"\n'
        f'[profiles.b]\nserver = "{server.url}"\napi_key = "file:{tmp_path}/key"\n'
    )
    monkeypatch.setenv("A_KEY", real.WRITE)
    path = tmp_path / "x.cloacina"
    path.write_bytes(named("profiled"))
    words = ("publish", path, "--allow-unsigned", "--json", "--tenant", real.TENANT, "--run")
    first, second = run(*words, "--profile", "a"), run(*words)
    assert (first.status, second.status) == (0, 0), first.err + second.err
    assert first.json["result"]["package_id"] == second.json["result"]["package_id"]


def test_ctrl_c_while_it_waits_says_what_is_there_and_the_next_goes_on(publish, server, tmp_path):
    data = named("stopped")
    (tmp_path / "x.cloacina").write_bytes(data)
    (tmp_path / "token").write_text(real.WRITE)
    words = [sys.executable, "-m", "cloacina_ctl", "publish", "x.cloacina", "--allow-unsigned",
             "--server", server.url, "--tenant", real.TENANT, "--token-file", "token"]  # fmt: skip
    with server.compiler_paused():
        child = subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        while "waiting for the compiler" not in child.stderr.readline():
            assert child.poll() is None
        child.send_signal(signal.SIGINT)
        said = child.communicate()[1]
    assert child.returncode == 130
    assert "stopped: uploaded as " in said
    done = publish(data, "--run")
    assert done.status == 0
    assert done.json["result"]["package_id"] in said


@pytest.fixture
def operation(server, tmp_path):
    """Publish bytes by the operation itself, which tells of every step."""

    def command(data, **more):
        path, token = tmp_path / "y.cloacina", tmp_path / "token"
        path.write_bytes(data)
        token.write_text(real.WRITE)
        request = PublishRequest(
            str(path),
            real.TENANT,
            VerificationPolicy(allow_unsigned=True),
            context={},
            wait_seconds=120,
        )
        access = find_access(AccessRequest(server=server.url, token_file=str(token)))
        return publish_operation(request, access, **more)

    return command


def test_a_server_that_dies_in_the_middle_of_the_upload_and_the_next_attempt(operation, server):
    data = named("halved", **{"workflow/demo/blob": os.urandom(16 << 20)})
    killed = []

    def progress(what, done, total):
        if what == "uploading" and not killed and done >= total // 2:
            killed.append(done)
            server.kill()

    try:
        with pytest.raises(NetworkProblem) as caught:
            operation(data, progress=progress)
    finally:
        server.start()
    assert killed
    assert "N001" in repr(caught.value.diagnostics)
    assert "halved" not in listed(server)
    published = operation(data)
    assert (published.status, published.run.status) == ("loaded", "Completed")
    assert listed(server)["halved"] == "1.0.0"


def test_a_server_that_starts_anew_while_it_builds_is_waited_for(operation, server):
    steps = []
    with server.compiler_paused() as go_on:

        def watch(step):
            steps.append((step.what, step.text))
            if steps == [("build", "pending")]:
                server.kill()
            elif step.text == "the server does not answer":
                server.start()
                go_on()

        published = operation(named("patient"), watch=watch)
    assert ("build", "the server does not answer") in steps
    assert (published.status, published.run.status) == ("loaded", "Completed")
