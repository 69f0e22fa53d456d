"""`publish` and a server that does what the real one was seen to do."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import sys

import pytest

from cloacina_ctl.digest import Digest
from cloacina_ctl.operations import keys
from cloacina_ctl.operations.package import PackageRequest, package
from tests.support import archives
from tests.support.cloacina_server import QUICK, READ, TENANT, WRITE, refusal
from tests.support.json_schemas import judge
from tests.support.legacy import version_of as source
from tests.support.projects import FIXTURES


@pytest.fixture
def tell(publish):
    """Publish with `--json`, and hold the answer to its schema."""

    def command(*words, **more):
        done = publish(*words, **more)
        judge(done.json)
        return done

    return command


def test_sends_the_package_and_says_what_the_server_loaded(tell, server, package):
    server.asleep = False
    done = tell()
    assert done.status == 0
    result = done.json["result"]
    assert server.uploads == [package.read_bytes()]
    assert result["status"] == "loaded"
    assert result["content"] == f"sha256:{Digest.of(package.read_bytes())}"
    assert (result["workflow"], result["tasks"]) == ("demo", ["extract", "load"])
    assert result["package_id"] == server.rows[0].id
    assert result["run"] is None


def test_runs_it_once_in_a_tenant_that_slept(tell, server):
    done = tell("--run", "--context", '{"day": 1}')
    assert done.status == 0
    assert server.contexts == [{"day": 1}]
    run = done.json["result"]["run"]
    assert run["status"] == "Completed"
    assert [(one["name"], one["status"]) for one in run["tasks"]] == [
        ("extract", "Completed"), ("load", "Completed"),
    ]  # fmt: skip


def test_runs_it_once_in_a_tenant_that_is_awake_but_slow(tell, server):
    server.asleep, server.not_yet = False, 2
    assert tell("--run").status == 0
    assert server.contexts == [{}]


def test_an_execution_that_starts_while_nothing_is_listed_is_the_one(tell, server):
    real = server._execute

    def execute(asked, body, name):
        server.asleep = False
        return real(asked, body, name)

    server._execute = execute
    assert tell("--run").status == 0
    assert server.contexts == [{}]


def test_tells_people_what_happens_and_what_came_of_it(publish, server):
    server.task_errors = {"load": "disk full"}
    server.runs = ["Running", "Failed"]
    done = publish("--run", json=False)
    assert done.status == 1
    assert "✓ demo 1.0.0 is on http://127.0.0.1:" in done.out
    assert "workflow demo: 2 tasks loaded: extract, load" in done.out
    assert "✓ extract Completed" in done.out
    assert "✗ load Failed: disk full" in done.out
    for words in ("waiting for the compiler", "building", "built", "run: Running"):
        assert words in done.err.splitlines()
    assert "N016" in done.err


def test_a_run_that_fails_is_an_answer_and_it_is_no(tell, server):
    server.task_errors = {"load": "disk full"}
    server.runs = ["Failed"]
    done = tell("--run")
    assert (done.status, done.codes) == (1, ["N016"])
    assert "load: disk full" in done.json["diagnostics"][0]["message"]
    assert done.json["result"]["status"] == "loaded"


def test_a_run_that_fails_without_a_task_that_does(tell, server):
    server.runs, server.has_task_route = ["Cancelled"], False
    done = tell("--run")
    assert (done.status, done.codes) == (1, ["N016"])
    assert done.json["result"]["run"]["tasks"] == []


def test_a_run_that_does_not_end_in_time(tell, server):
    server.asleep, server.runs = False, ["Running"]
    done = tell("--run", "--wait", "1")
    assert (done.status, done.codes) == (7, ["N005"])


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (409, "workflow_paused", "workflow 'demo' is paused; resume it before executing"),
        (400, "workflow_input_invalid", "invalid execution context: day is missing"),
    ],
)
@pytest.mark.parametrize("asleep", [True, False])
def test_a_run_that_is_refused_says_that_it_is_published(tell, server, asleep, status, code, error):
    server.asleep = asleep
    server._execute = lambda *_: refusal(status, code, error)
    done = tell("--run")
    assert (done.status, done.codes) == (7, ["N015"])
    assert error in done.json["diagnostics"][0]["message"]


def test_a_workflow_that_the_server_never_knows(tell, server):
    server.asleep, server.not_yet = False, 10**6
    assert tell("--run").codes == ["N015"]
    real = server._execute
    server._execute = lambda *_: (real(*_), refusal(404, "workflow_not_found", "not registered"))[1]
    assert tell("--run").codes == ["N015"]


def test_a_run_is_not_started_a_second_time_when_the_answer_is_lost(tell, server):
    server.asleep = False
    server.instead = lambda asked: b"" if asked.target.endswith("/execute") else None
    done = tell("--run")
    assert (done.status, done.codes) == (7, ["N001"])
    assert "may have started" in done.json["diagnostics"][0]["hint"]
    assert sum(asked.target.endswith("/execute") for asked in server.asked) == 1


def test_the_same_bytes_again_are_the_same_package(tell, server):
    server.asleep = False
    first, again = tell(), tell()
    assert first.json["result"]["package_id"] == again.json["result"]["package_id"]


def test_other_bytes_under_a_published_version_are_refused(tell, server, package):
    server.asleep = False
    tell()
    package.write_bytes(source(**{"workflow/demo/more.py": b"MORE = 1\n"}))
    done = tell()
    assert (done.status, done.codes) == (7, ["N011"])
    assert "raise the version" in done.json["diagnostics"][0]["hint"]


def test_a_later_version_supersedes_and_an_older_one_is_refused_here(tell, server, package):
    server.asleep = False
    tell()
    package.write_bytes(source("1.10.0"))
    assert tell().status == 0
    assert [row.superseded for row in server.rows] == [True, False]
    package.write_bytes(source("1.9.0"))
    done = tell()
    assert (done.status, done.codes) == (7, ["N011"])
    assert len(server.uploads) == 2


def test_a_version_whose_order_nobody_knows_is_left_to_the_server(tell, server, package):
    server.asleep = False
    package.write_bytes(source("1.0.0-x.7.z.92"))
    assert tell().status == 0
    package.write_bytes(source("1.0.0-x.7.z.91"))
    assert tell().status == 0


def test_a_failed_build_gives_the_compilers_words_and_says_what_to_do(tell, server):
    server.builds = ["building", "failed"]
    server.build_error = (
        "cargo build failed:\n   Compiling demo\nerror[E0433]: cannot find crate `chrono`\n"
        " --> src/lib.rs:3\nerror: could not compile `demo`\x1b[2J\u202e\n"
    )
    done = tell()
    assert (done.status, done.codes) == (5, ["N012"])
    assert (
        "error[E0433]: cannot find crate `chrono`; error: could"
        in (done.json["diagnostics"][0]["message"])
    )
    assert "raise the version" in done.json["diagnostics"][0]["hint"]
    assert "  error[E0433]: cannot find crate `chrono`" in done.err.splitlines()
    assert "\x1b" not in done.err
    assert "\u202e" not in done.err
    again = tell()
    assert (again.status, again.codes) == (5, ["N012"])


def test_the_line_that_an_error_leads_to_is_told_with_it(tell, server):
    server.builds = ["failed"]
    server.build_error = (
        "warning: x\nerror: rustc 1.70 is not supported by:\n  demo@1.0.0\nhelp: y\n"
    )
    message = tell().json["diagnostics"][0]["message"]
    assert message.endswith("failed: error: rustc 1.70 is not supported by: demo@1.0.0")


def test_a_failed_build_without_a_word_and_one_with_too_many(publish, server):
    server.builds, server.build_error = ["failed"], None
    done = publish(json=False)
    assert (done.status, "does not say why" in done.err) == (5, True)
    server.build_error = "\n".join(f"line {number}" for number in range(2000))
    done = publish(json=False)
    assert "... 1600 lines before these" in done.err
    assert "line 1999" in done.err
    assert len(done.err) < 10_000


def test_a_build_that_nobody_takes_or_that_takes_too_long(tell, server):
    for status, words in (("pending", "no compiler"), ("building", "keep waiting")):
        server.builds = [status]
        done = tell("--wait", "0")
        assert (done.status, done.codes) == (7, ["N013"])
        assert words in done.json["diagnostics"][0]["hint"]


def away(server, times, target):
    """Let the server be away for so many connections, once it is asked for ``target``."""
    left = [times]

    def instead(asked):
        if re.search(target, asked.target) and left[0]:
            left[0] -= 1
            return b""
        return None

    server.instead = instead


def test_a_server_that_starts_anew_while_it_builds_or_runs_is_waited_for(tell, server):
    tries = QUICK.patience.tries
    server.asleep = False
    away(server, tries + 1, "/workflows/[0-9a-f-]{36}$")
    assert tell().status == 0
    away(server, tries + 1, "/executions/[0-9a-f-]{36}$")
    done = tell("--run")
    assert (done.status, done.json["result"]["run"]["status"]) == (0, "Completed")
    assert "does not answer" in done.err


def test_a_server_that_is_lost_after_the_upload_is_said_to_have_it(tell, server):
    away(server, 10**6, "/workflows/[0-9a-f-]{36}$")
    done = tell()
    assert (done.status, done.codes) == (7, ["N001"])
    hint = done.json["diagnostics"][0]["hint"]
    assert server.rows[0].id in hint
    assert "the same command" in hint


def test_ctrl_c_while_it_is_built_says_what_is_there_and_the_next_goes_on(tell, publish, server):
    server.asleep, server.builds = False, ["building"]
    server.instead = lambda asked: (
        os.kill(os.getpid(), signal.SIGINT)
        if re.search("/workflows/[0-9a-f-]{36}$", asked.target)
        else None
    )
    done = publish(json=False)
    assert done.status == 130
    assert f"uploaded as {server.rows[0].id}; run it again to continue" in done.err
    assert "stopped by SIGINT" in done.err
    server.instead, server.builds = lambda _: None, ["building", "success"]
    again = tell()
    assert (again.status, again.json["result"]["package_id"]) == (0, server.rows[0].id)
    assert len(server.rows) == 1


def test_a_tenant_without_a_name_is_none(publish, server):
    assert publish("--tenant", "").status == 2
    assert server.asked == []


def test_an_accepted_build_without_tasks_is_a_failure_with_words(tell, server):
    done = tell()
    assert (done.status, done.codes) == (7, ["N014"])
    assert "--run" in done.json["diagnostics"][0]["hint"]
    server._execute = lambda *_: refusal(
        400, "execution_failed", "Workflow not found in registry: demo"
    )
    assert tell("--run").codes == ["N014"]


def test_a_declared_task_that_the_server_does_not_list_is_a_failure(tell, server):
    server.asleep, server.tasks = False, ["extract", "zzz"]
    done = tell()
    (problem,) = done.json["diagnostics"]
    assert (done.status, problem["code"]) == (7, "N014")
    assert "it has not loaded load" in problem["message"]


def test_a_task_that_only_the_server_lists_is_a_warning(tell, server):
    server.asleep, server.tasks = False, ["zzz", "load", "extract"]
    done = tell()
    assert done.status == 0
    assert done.json["result"]["tasks"] == ["extract", "load", "zzz"]
    warnings = [one["message"] for one in done.json["diagnostics"]]
    assert any(one.endswith("tasks that are not declared: zzz") for one in warnings)


def test_an_older_server_that_lists_no_tasks_proves_nothing_and_that_is_said(tell, server):
    server.old = True
    done = tell()
    assert done.status == 0
    assert "N018" in [one["code"] for one in done.json["diagnostics"]]


def test_without_waiting_the_answer_says_that_nothing_is_known(tell, publish, server):
    done = tell("--no-wait")
    assert (done.status, done.json["result"]["status"]) == (0, "uploaded")
    assert "N018" in [one["code"] for one in done.json["diagnostics"]]
    assert "not known whether it builds and loads" in publish("--no-wait", json=False).out
    assert not any("executions" in asked.target for asked in server.asked)


def test_a_dry_run_asks_and_sends_nothing(tell, publish, server):
    done = tell("--dry-run")
    result = done.json["result"]
    assert (result["status"], result["package_id"]) == ("checked", None)
    assert [asked.method for asked in server.asked] == ["GET"]
    said = publish("--dry-run", json=False)
    assert "would be published to" in said.out
    assert "nothing was sent" in said.out


def test_a_server_of_0_4_has_its_routes_without_a_version(tell, server, package):
    server.prefix, server.old, server.builds = "", True, ["success"]
    assert tell("--runtime", "0.4").status == 0
    assert {asked.target.split("/")[1] for asked in server.asked} == {"tenants"}


def test_a_path_before_every_route_is_kept(tell, server):
    server.prefix, server.asleep = "/behind/a/proxy/v1", False
    assert tell("--server", f"{server.url}/behind/a/proxy/v1/").status == 0


def test_a_native_package_is_converted_when_asked(tell, server, tmp_path):
    server.asleep = False
    keys.generate_key()
    made = tmp_path / "native.cloacina"
    request = PackageRequest(str(FIXTURES / "python_report"), str(made), keys=keys.signing_keys(()))
    package(request)
    server.tasks = ["check_orders", "read_orders", "sum_by_country", "write_report"]
    refused = tell(path=made)
    assert (refused.status, refused.codes) == (6, ["A002"])
    assert server.asked == []
    done = tell("--convert", path=made)
    result = done.json["result"]
    assert (done.status, result["converted"], result["name"]) == (0, True, "daily-report")
    assert result["trusted_signers"] == [keys.show_key("default").fingerprint]
    codes = [one["code"] for one in done.json["diagnostics"]]
    assert "S001" not in codes
    assert server.uploads[0].startswith(b"BZh9")


def test_a_package_on_standard_input(tell, server, package, monkeypatch):
    server.asleep = False
    with package.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        import os

        kept = os.dup(0)
        os.dup2(file.fileno(), 0)
        try:
            assert tell(path="-").status == 0
        finally:
            os.dup2(kept, 0)
            os.close(kept)
    assert server.uploads == [package.read_bytes()]


def test_a_signed_package_needs_no_leave(run, server, package, token_file, quick):
    server.asleep = False
    keys.generate_key()
    assert run("sign", package).status == 0
    words = ("--server", server.url, "--tenant", TENANT, "--token-file", token_file, "--json")
    done = run("publish", package, *words)
    assert done.status == 0
    assert done.json["result"]["trusted_signers"] == [keys.show_key("default").fingerprint]


def test_graphs_alone_have_no_tasks_to_be_listed(tell, publish, package):
    toml = archives.PACKAGE_TOML.replace(b'workflow_name = "demo"', b'graph_name = "demo_graph"')
    package.write_bytes(source(**{
        "package.toml": toml,
        "workflow/demo/tasks.py": b"import cloaca\n\nbuilder = cloaca.ComputationGraphBuilder\n",
    }))  # fmt: skip
    done = tell()
    assert (done.status, done.json["result"]["tasks"]) == (0, [])
    assert "the server lists no tasks" in publish(json=False).out


def test_requests_are_the_ones_that_the_server_knows(tell, server, token_file):
    server.asleep = False
    tell("--run")
    upload = next(
        one for one in server.asked if one.headers.get("content-type", "")[:9] == "multipart"
    )
    assert upload.target == f"/v1/tenants/{TENANT}/workflows"
    assert upload.headers["authorization"] == f"Bearer {WRITE}"
    assert upload.headers["accept-encoding"] == "identity"
    assert upload.headers["connection"] == "close"
    assert re.fullmatch(r"127\.0\.0\.1:\d+", upload.headers["host"])
    assert "expect" not in upload.headers
    execute = next(one for one in server.asked if one.target.endswith("/execute"))
    assert execute.headers["content-type"] == "application/json"


def test_a_large_package_waits_for_leave_and_is_sent_in_pieces(tell, server, package):
    import os

    server.asleep = False
    package.write_bytes(source(**{"workflow/demo/blob.bin": os.urandom(5 << 18)}))
    done = tell()
    assert done.status == 0
    assert server.uploads == [package.read_bytes()]
    upload = next(
        one for one in server.asked if one.headers.get("content-type", "")[:9] == "multipart"
    )
    assert upload.headers["expect"] == "100-continue"


def test_a_server_that_says_no_gets_nothing_of_a_large_package(tell, server, package, token_file):
    import os

    package.write_bytes(source(**{"workflow/demo/blob.bin": os.urandom(5 << 18)}))
    token_file.write_text(READ)
    done = tell()
    assert (done.status, done.codes) == (4, ["N007"])
    assert server.uploads == []


def test_an_operation_tells_how_far_it_is(server, package, token_file):
    from cloacina_ctl.operations.publication.access import AccessRequest, find_access
    from cloacina_ctl.operations.publish import PublishRequest, publish
    from cloacina_ctl.verification.policy import VerificationPolicy

    server.asleep = False
    access = find_access(AccessRequest(server=server.url, token_file=str(token_file)))
    request = PublishRequest(
        str(package), TENANT, VerificationPolicy(allow_unsigned=True), pace=QUICK
    )
    stages = []
    done = publish(request, access, None, lambda *at: stages.append(at))
    assert done.status == "loaded"
    size = package.stat().st_size
    assert {name for name, _, _ in stages} == {"reading", "uploading"}
    assert stages[-1] == ("uploading", size, size)


def test_the_options_that_exclude_each_other(publish, server):
    for words in (
        ("--no-wait", "--run"), ("--no-wait", "--dry-run"), ("--run", "--dry-run"),
        ("--context", "{}"), ("--wait=-1",), ("--run", "--context", "[1]"),
        ("--run", "--context", "{"), ("--runtime", "0.99"),
    ):  # fmt: skip
        assert publish(*words).status == 2, words
    assert publish("--run", "--context", "@-", path="-").status == 2
    assert publish("--run", "--context", "@absent.json").status == 8
    assert publish("--runtime", "0.3").status == 6
    assert server.asked == []


def test_a_context_of_gigabytes_is_not_read(publish, server, tmp_path):
    with (tmp_path / "in.json").open("wb") as file:
        file.truncate(1 << 30)
    assert publish("--run", "--context", f"@{tmp_path / 'in.json'}").status == 2


def test_the_context_of_a_file(publish, server, tmp_path):
    server.asleep = False
    (tmp_path / "in.json").write_text(json.dumps({"day": "2026-11-20", "n": 1.5}))
    assert publish("--run", "--context", f"@{tmp_path / 'in.json'}").status == 0
    assert server.contexts == [{"day": "2026-11-20", "n": 1.5}]
