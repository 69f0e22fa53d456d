"""What a server's no becomes: words, a code, an exit status, and never the token."""

from __future__ import annotations

import hashlib

import pytest

from cloacina_ctl.operations.package import PackageRequest
from cloacina_ctl.operations.package import package as pack
from tests.support.cloacina_server import OTHER, READ, TENANT, WRITE, refusal, response
from tests.support.projects import FIXTURES

GET = f"/v1/tenants/{TENANT}/workflows/demo"
POST = f"/v1/tenants/{TENANT}/workflows"


def answers(server, method, *replies):
    """Let the server answer requests by that method so, in turn; the last for ever."""
    left = list(replies)

    def instead(asked):
        if asked.method != method:
            return None
        return left.pop(0) if len(left) > 1 else left[0]

    server.instead = instead


@pytest.mark.parametrize(
    ("token", "words"),
    [
        ("clk_nobody", "401 invalid API key"),
        (READ, "403 insufficient permissions"),
        (OTHER, "403 access denied for this tenant"),
    ],
)
def test_who_is_not_allowed_is_told_why(publish, server, token_file, token, words):
    token_file.write_text(token)
    done = publish()
    assert (done.status, done.codes) == (4, ["N007"])
    assert words in done.json["diagnostics"][0]["message"]
    assert token not in done.out + done.err
    assert server.uploads == []


@pytest.mark.parametrize(
    ("reply", "status", "code", "words"),
    [
        (refusal(403, "signature_not_found", "no signature row found"), 4, "N007", "operator"),
        (refusal(403, "untrusted_signer", "package signed by untrusted key"), 4, "N007", "trust"),
        (refusal(403, "invalid_signature", "verification failed"), 4, "N007", "again"),
        (refusal(403, "package_tampered", "do not match"), 4, "N007", "other bytes"),
        (refusal(403, "signature_verification_unconfigured", "x"), 4, "N007", "-org-id"),
        (refusal(403, "signature_verification_error", "database"), 4, "N007", "its log"),
        (refusal(403, "something_new", "no"), 4, "N007", "403 no"),
        (refusal(404, "not_found", "no route matches this request"), 7, "N009", "address"),
        (response(400, "proxy").replace(b"400 Bad Request", b"407 Who"), 7, "N001", "proxy"),
        (refusal(413, "too_large", "payload too large"), 7, "N010", "too large"),
        (refusal(422, "unprocessable", "no"), 7, "N010", "422 no"),
        (refusal(400, "invalid_request", "no 'file' field"), 7, "N010", "'file'"),
        (refusal(400, "upload_failed", "search_path setup failed"), 7, "N009", "tenant"),
        ((400, "Invalid `boundary` for `multipart/form-data` request"), 7, "N010", "boundary"),
        ((404, "<!DOCTYPE html><html><body>Not found"), 7, "N009", "a web page"),
        ((500, "oops"), 7, "N006", "500 oops"),
        ((500, ""), 7, "N006", "an empty answer"),
        (refusal(500, "internal_error", "internal registry error"), 7, "N006", "registry"),
        ((200, {"package_id": "x"}), 7, "N004", "the status is 200"),
        ((201, "created"), 7, "N004", "not JSON"),
        ((201, ""), 7, "N004", "an empty answer"),
        ((201, "<html>welcome"), 7, "N004", "a web page"),
        ((201, {}), 7, "N004", "package_id"),
        ((201, {"package_id": 1}), 7, "N004", "package_id"),
        ((201, {"package_id": "../../x", "tenant_id": TENANT}), 7, "N004", "no id"),
        ((201, {"package_id": "a", "tenant_id": "other"}), 7, "N004", "another tenant"),
        ((201, "[" * 100_000), 7, "N004", "nested"),
        ((201, '{"package_id": "a", "package_id": "b"}'), 7, "N004", "twice"),
        ((201, '{"package_id": ' + "9" * 5000 + "}"), 7, "N004", "digits"),
    ],
)  # fmt: skip
def test_an_upload_that_is_answered_otherwise_is_no_success(
    publish, server, reply, status, code, words
):
    answers(server, "POST", reply)
    done = publish()
    assert (done.status, done.codes) == (status, [code])
    found = done.json["diagnostics"][0]
    assert words in f"{found['message']} {found['hint']}"


@pytest.mark.parametrize(
    "change",
    [
        {"id": None}, {"package_name": 1}, {"version": None}, {"tasks": "extract"}, {"tasks": [1]},
        {"build_status": 1}, {"build_status": "confused"}, {"package_name": "other"},
        {"version": "9.9.9"},
    ],
    ids=repr,
)  # fmt: skip
def test_a_package_of_another_shape_or_name_is_nonsense(publish, server, change):
    real = server._package

    def package(asked, body, name):
        status, found = real(asked, body, name)
        return status, {**found, **change} if status == 200 else found

    server._package = package
    assert publish().codes == ["N004"]


def test_a_server_that_wants_signatures_is_told_of_with_the_hash_of_what_was_sent(
    publish, server, package, tmp_path
):
    """It looks for its row by that hash, and that of a converted package stands nowhere else."""
    answers(server, "POST", refusal(403, "signature_not_found", "no signature row found"))
    hint = publish().json["diagnostics"][0]["hint"]
    assert hashlib.sha256(package.read_bytes()).hexdigest() in hint
    assert "converted" not in hint
    native = tmp_path / "native.cloacina"
    pack(PackageRequest(str(FIXTURES / "python_report"), str(native)))
    done = publish("--convert", path=native)
    (error,) = (one for one in done.json["diagnostics"] if one["severity"] == "error")
    assert "--convert drops signatures" in error["hint"]


def test_a_server_that_forgets_the_package_is_not_believed(publish, server):
    server.asleep, server._register = False, lambda _: (201, {"package_id": "gone"})
    assert publish().codes == ["N004"]


@pytest.mark.parametrize("key", ["attempt", "task_name", "last_error"])
def test_tasks_of_another_shape_are_nonsense(publish, server, key):
    real = server._task_runs

    def task_runs(*words):
        status, found = real(*words)
        found["tasks"][0][key] = ["x"]
        return status, found

    server._task_runs = task_runs
    assert publish("--run").codes == ["N004"]
    server._task_runs = lambda *_: (200, {"tasks": 1})
    server.runs = ["Completed"]
    assert publish("--run").codes == ["N004"]
    server._task_runs = lambda *_: refusal(500, "internal_error", "no")
    assert publish("--run").codes == ["N006"]


def test_a_server_that_fails_for_a_moment_is_asked_again(publish, server, package):
    server.asleep = False
    busy = refusal(503, "busy", "try again")
    answers(server, "POST", busy, b"", None)
    assert publish().status == 0
    assert server.uploads == [package.read_bytes()]


def test_a_server_that_fails_for_good_is_asked_three_times(publish, server):
    answers(server, "POST", refusal(503, "busy", "try again"))
    done = publish()
    assert (done.status, done.codes) == (7, ["N006"])
    assert sum(asked.method == "POST" for asked in server.asked) == 3


@pytest.mark.parametrize("after", ["99999999999999999999", "0", "-1", "soon", "1e9"])
def test_a_wait_that_the_server_asks_for_has_an_end(publish, server, after):
    server.asleep = False
    answers(server, "POST", response(429, {"error": "slow", "code": "x"}, retry_after=after), None)
    assert publish().status == 0


def escaped(text):
    return "".join(f"\\u{ord(character):04x}" for character in text)


SAID = [
    lambda text: refusal(401, "unauthorized", f"who is {text}?"),
    lambda text: refusal(400, text, f"{text}{text}"),
    lambda text: (500, f"<html>{text}"),
    lambda text: (500, f"panic: Authorization: Bearer {text}"),
    lambda text: (201, {"package_id": text}),
    lambda text: (201, {"package_id": "a", "tenant_id": text}),
    lambda text: (201, f'{{"{text}": 1, "{text}": 2}}'),
    lambda text: (400, f'{{"error": "{escaped(text)}", "code": "x"}}'),
    lambda text: f"HTTP/1.1 302 Found\r\nlocation: https://evil.example/?{text}\r\n\r\n".encode(),
    lambda text: f"HTTP/1.1 400 {text}\r\ncontent-length: 0\r\n\r\n".encode(),
    lambda text: f"{text}\r\n\r\n".encode(),
    lambda text: f"HTTP/1.1 201 OK\r\n{text}\r\n\r\n".encode(),
]


@pytest.mark.parametrize("number", range(len(SAID)))
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("debug", [False, True])
def test_a_token_that_the_server_repeats_is_not_shown(publish, server, number, method, debug):
    answers(server, method, SAID[number](WRITE))
    done = publish(*(("--debug",) if debug else ()))
    assert done.status in (4, 7)
    assert WRITE not in done.out + done.err


FORGED = [
    (400, "bad \x1b[31mrequest\x1b]0;title\x07\nerror[X001] forged"),
    b"HTTP/1.1 401 No\r\nwww-authenticate: \x1b[31mBasic\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 400 \x1b[31mNo\r\ncontent-length: 0\r\n\r\n",
    b"\x1b[31mnothing\r\n\r\n",
]


@pytest.mark.parametrize("number", range(len(FORGED)))
def test_nothing_that_a_server_says_reaches_the_terminal_unescaped(publish, server, number):
    answers(server, "POST", FORGED[number])
    for more in ((), ("--debug",), ("--debug", "--json")):
        told = publish(*more)
        assert told.status in (4, 7)
        assert all(line.isprintable() for line in (told.out + told.err).split("\n"))
        assert not any(line.startswith("error[X001]") for line in told.err.split("\n"))


@pytest.mark.parametrize("what", ["build", "run"])
def test_a_token_in_what_a_build_or_run_says_is_not_shown(publish, server, what):
    if what == "build":
        server.builds, server.build_error = ["failed"], f"error: env has {WRITE}\n"
    else:
        server.runs, server.task_errors = ["Failed"], {"load": f"leaked {WRITE}"}
    done = publish("--run")
    assert done.status in (1, 5)
    assert "[token]" in done.out
    assert WRITE not in done.out + done.err


def test_a_long_token_is_not_shown_in_part(publish, server, tmp_path):
    token = "clk_" + "longsecret" * 150
    (tmp_path / "long").write_text(token)
    answers(server, "GET", (400, token * 4))
    done = publish("--token-file", tmp_path / "long")
    assert done.codes == ["N003"] or done.status == 7
    assert "longsecret" not in done.out + done.err


def test_what_the_server_says_is_escaped_and_one_line(publish, server):
    hostile = "\x1b[2Jgone\u202e\r\nerror[X]: forged\x07" + "long" * 3000
    answers(server, "POST", refusal(400, "upload_failed", hostile))
    done = publish(json=False)
    assert done.status == 7
    assert done.err.count("\n") == 1
    assert len(done.err) < 4096
    assert not set(done.err) & set("\x1b\u202e\r\x07")
