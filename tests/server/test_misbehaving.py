"""Servers that no client should survive by luck: each must end soon, in words, in little memory."""

from __future__ import annotations

import gzip
import resource
import socket
import ssl
import struct
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import CloacinaError, Code, FileProblem, Refused
from cloacina_ctl.server import connection
from cloacina_ctl.server.address import parse_address
from cloacina_ctl.server.bounded_socket import MAX_HEAD_BYTES, Deadline
from cloacina_ctl.server.client import Server
from cloacina_ctl.server.connection import MAX_BODY_BYTES, problem_of
from cloacina_ctl.server.multipart import Upload
from cloacina_ctl.server.token import Token
from tests.server.clients import GOOD, IMPATIENT, asks, client, sends
from tests.support.cloacina_server import WRITE, response
from tests.support.sockets import Listener

OK = b"HTTP/1.1 200 OK\r\n"
MIB = 1 << 20


def chunked(*chunks: bytes) -> bytes:
    body = b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks)
    return OK + b"transfer-encoding: chunked\r\n\r\n" + body


BODY = response(200, GOOD).partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    "data",
    [
        response(200, GOOD),
        OK + b"\r\n" + BODY,
        b"HTTP/1.0 200\r\n\r\n" + BODY,
        chunked(BODY[:5], BODY[5:]) + b"0\r\n\r\n",
        chunked(BODY) + b"0;x=y\r\ntrailer: z\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + response(200, GOOD),
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20 + response(200, GOOD),
        response(200, GOOD) + b"HTTP/1.1 200 OK\r\n\r\nmore",
        OK + b"x: a\r\nx: b\r\ncontent-encoding: identity\r\n\r\n" + BODY,
        OK + b"content-length: %d\r\ncontent-length: %d\r\n\r\n" % (len(BODY), len(BODY)) + BODY,
    ],
)
def test_understands_what_http_allows(data):
    assert asks(sends(data)).name == "demo"


def test_understands_an_answer_byte_by_byte():
    data = response(200, GOOD)
    assert asks(sends(*(data[at : at + 1] for at in range(len(data))))).name == "demo"


LENGTH = b"content-length: %d\r\n" % len(BODY)
CHUNKED = OK + b"transfer-encoding: chunked\r\n\r\n"
CHUNK = b"%x\r\n%s\r\n" % (len(BODY), BODY)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"HTTP/2 200\r\n\r\n" + BODY,
        b"HTTP/1.1 099 no\r\n\r\n" + BODY,
        b"HTTP/1.1 200OK\r\n\r\n" + BODY,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + BODY,
        OK + LENGTH + b"content-length: 6\r\n\r\n" + BODY,
        OK + b"content-length: 500\r\n\r\n" + BODY,
        OK + b"content-length: 99999999999999999999\r\n\r\n" + BODY,
        response(200, GOOD)[:-1],
        CHUNKED + CHUNK,
        CHUNKED + CHUNK + b"zz\r\n",
        CHUNKED + CHUNK[:-2] + b"X\r\n0\r\n\r\n",
        CHUNKED + b"fffffffff\r\n" + BODY,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        OK + b"content-encoding: gzip\r\n\r\n" + gzip.compress(bytes(MIB), mtime=0),
        OK + b"content-encoding: gzip\r\n" + LENGTH + b"\r\n" + BODY,
        b"HTTP/1.1 400 Bad\r\ncontent-encoding: zstd\r\n\r\nxx",
        b"HTTP/1.1 302 Found\r\ncontent-encoding: br\r\n\r\nxx",
        OK + b"x: y\r\n" * 200 + b"\r\n" + BODY,
        OK + b"x: " + b"y" * MAX_HEAD_BYTES + b"\r\n\r\n" + BODY,
        OK + (b"x: " + b"y" * 1000 + b"\r\n") * 80 + b"\r\n" + BODY,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 4000 + response(200, GOOD),
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 4000 + response(200, GOOD),
        OK + b"content-length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1) + bytes(MAX_BODY_BYTES + 1),
        OK + b"\r\n" + bytes(MAX_BODY_BYTES + 1),
        chunked(*[bytes(MIB)] * 5),
        CHUNKED + CHUNK + b"0\r\n" + (b"x: " + b"y" * 60000 + b"\r\n") * 80 + b"\r\n",
    ],
    ids=lambda data: repr(data[:60]),
)
def test_refuses_what_is_not_http_or_too_much_of_it(data):
    assert asks(sends(data)) == Code.BAD_ANSWER


@pytest.mark.parametrize(
    "answer",
    [
        lambda line: line.wait(),
        sends(OK[:5], b"", wait=30),
        sends(*([b"H"] * 200), wait=0.02),
        sends(OK, *([b"x: y\r\n"] * 50), wait=0.05),
        sends(OK + b"content-length: 100\r\n\r\n", *([b"{"] * 50), wait=0.05),
        sends(CHUNKED, *([b"1\r\n{\r\n"] * 50), wait=0.05),
        sends(CHUNKED + b"0\r\n", *([b"x: y\r\n"] * 50), wait=0.05),
        sends(*([b"HTTP/1.1 103 X\r\n\r\n"] * 50), wait=0.05),
    ],
    ids=["silent", "half a line", "letters", "headers", "body", "chunks", "trailers", "interim"],
)
def test_a_slow_server_is_given_up_after_the_whole_time(answer):
    assert asks(answer) == Code.NO_ANSWER


def test_an_endless_answer_ends_and_takes_little_memory():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def endless(line):
        line.send(OK + b"transfer-encoding: chunked\r\n\r\n")
        while True:
            line.send(b"%x\r\n%s\r\n" % (MIB, bytes(MIB)))

    assert asks(endless) == Code.BAD_ANSWER
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # KiB


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example/", "/elsewhere", "http://127.0.0.1:1/",
        "file:///etc/passwd", "https://user:word@evil.example/",
    ],
)  # fmt: skip
def test_a_redirect_is_not_followed_and_the_token_stays(status, target):
    followed = []
    with Listener(lambda line: followed.append(line.asked())) as other:
        place = target.replace("http://127.0.0.1:1", other.url)
        redirect = b"HTTP/1.1 %d X\r\nlocation: %s\r\ncontent-length: 0\r\n\r\n"
        assert asks(sends(redirect % (status, place.encode()))) == Code.REDIRECT
    assert followed == []


def test_a_redirect_to_nowhere_is_one_too():
    assert asks(sends(b"HTTP/1.1 304 Not Modified\r\n\r\n")) == Code.REDIRECT


def test_a_server_that_hangs_up_is_asked_again_and_then_given_up():
    with Listener(lambda line: line.asked()) as listener:
        with pytest.raises(CloacinaError) as caught:
            client(listener).package("demo")
        assert caught.value.diagnostics[0].code == Code.UNREACHABLE
        assert listener.connections == IMPATIENT.tries


def reset(line):
    """Hang up so that the other side gets an error and not an end."""
    line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.sock.close()


def test_a_connection_that_is_reset_is_no_answer():
    assert asks(reset) == Code.UNREACHABLE


def test_a_server_that_is_not_there_is_said_in_words():
    with Listener(lambda _: None) as listener:
        url = listener.url
    for address, words in (
        (url, "nothing listens"),
        ("http://no.such.host.invalid", "no such host"),
    ):
        with pytest.raises(CloacinaError) as caught:
            client(None, url=address).package("demo")
        found = caught.value.diagnostics[0]
        assert (found.code, words in found.message) == (Code.UNREACHABLE, True)


@pytest.fixture
def blob(tmp_path):
    """A file of 8 MiB, and what uploads it."""
    path = tmp_path / "blob"
    data = bytes(range(256)) * (8 * MIB // 256)
    path.write_bytes(data)
    with path.open("rb") as file:
        yield Upload(file.fileno(), len(data), Digest.of(data), str(path)), path


def test_a_server_that_does_not_read_is_given_up(blob):
    def deaf(line):
        line.asked()
        line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        line.wait()

    with Listener(deaf) as listener, pytest.raises(CloacinaError) as caught:
        client(listener).upload(blob[0])
    assert caught.value.diagnostics[0].code == Code.NO_ANSWER


@pytest.mark.parametrize("reads", [0, 1 << 16])
def test_a_server_that_says_no_in_the_middle_is_heard(blob, reads):
    def impatient(line):
        asked = line.asked()
        assert asked.headers["expect"] == "100-continue"
        line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        line.sock.recv(reads or 1)
        line.send(response(413, {"error": "too large", "code": "too_large"}))

    with Listener(impatient) as listener, pytest.raises(CloacinaError) as caught:
        client(listener).upload(blob[0])
    assert "413 too large" in caught.value.diagnostics[0].message


def test_a_server_without_leave_to_go_on_gets_the_body_all_the_same(blob):
    got = []

    def plain(line):
        asked = line.asked()
        got.append(line.body(asked))
        line.send(response(201, {"package_id": "a", "tenant_id": "t"}))

    with Listener(plain) as listener:
        assert client(listener).upload(blob[0]) == "a"
    assert len(got[0]) == blob[0].size


def test_a_connection_that_breaks_in_the_middle_is_tried_again(blob):
    got = []

    def breaks_once(line):
        asked = line.asked()
        line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if not got:
            got.append(line.sock.recv(1000))
            reset(line)
            return
        got.append(line.body(asked))
        line.send(response(201, {"package_id": "a", "tenant_id": "t"}))

    with Listener(breaks_once) as listener:
        assert client(listener).upload(blob[0]) == "a"
    assert len(got[1]) == blob[0].size


@pytest.mark.parametrize("change", ["other bytes", "shorter"])
def test_bytes_that_are_not_the_verified_ones_are_never_published(blob, change):
    upload, path = blob
    with path.open("r+b") as file:
        if change == "shorter":
            file.truncate(5 * MIB)
        else:
            file.seek(7 * MIB)
            file.write(b"changed")
    got = []

    def serve(line):
        asked = line.asked()
        line.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        got.append(line.body(asked))

    with Listener(serve) as listener, pytest.raises(Refused) as caught:
        client(listener).upload(upload)
    assert caught.value.diagnostics[0].code == Code.CHANGED
    assert got == []


def test_a_file_that_can_no_longer_be_read_is_said(blob):
    upload = Upload(-1, 10, Digest.of(b""), "gone")
    with pytest.raises(FileProblem):
        list(upload.pieces())


def test_nothing_of_a_name_gets_into_a_header():
    tenant = 'x"\r\nX-Evil: 1\r\n\r\n/../%2e'
    seen = []

    def serve(line):
        seen.append(line.asked())
        line.send(response(200, GOOD))

    with Listener(serve) as listener:
        server = Server(
            parse_address(listener.url), tenant, Token(WRITE, "test"), patience=IMPATIENT
        )
        assert server.package("..").name == "demo"
    assert "x-evil" not in seen[0].headers
    assert seen[0].target.count("/") == 5
    assert seen[0].target.endswith("/%2E%2E")


@pytest.mark.parametrize("place", ["192.0.2.1", "2001:db8::1"])
def test_a_name_of_this_machine_that_leads_elsewhere_gets_no_token(monkeypatch, place):
    """Over http:// to `a.localhost` the token may go, so it must not be DNS that says where."""
    asked = []

    def lookup(host, port, **_):
        asked.append(host)
        family = socket.AF_INET6 if ":" in place else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (place, port))]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with pytest.raises(CloacinaError) as caught:
        client(None, IMPATIENT._replace(tries=1), "http://a.localhost:9").package("x")
    assert "leads to another" in caught.value.diagnostics[0].message
    assert asked == ["a.localhost"]


def test_a_wait_that_is_over_says_of_whom():
    with Listener(lambda line: line.wait()) as listener, pytest.raises(CloacinaError) as caught:
        client(listener).package("demo")
    found = caught.value.diagnostics[0]
    assert (found.code, found.where) == (Code.NO_ANSWER, listener.url)


PIECES = st.one_of(
    st.sampled_from([
        b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"\r\n", b"\n", b"x: y\r\n",
        b"content-length: 9\r\n", b"transfer-encoding: chunked\r\n", b"2\r\n{}\r\n0\r\n\r\n",
        b'{"id":"a","package_name":"demo","version":"1","tasks":[]}', b'{"error":', b"1" * 5000,
        b"[" * 5000, b'"\\ud800"', b"1e999", b"\xff\x00", WRITE.encode(),
    ]),
    st.binary(max_size=40),
)  # fmt: skip


@pytest.fixture(scope="module")
def scripted():
    """A server that says what its list holds, and hangs up."""
    script = []

    def serve(line):
        line.asked()
        line.send(script[0])

    with Listener(serve) as listener:
        yield listener, script


@given(st.lists(PIECES, max_size=12).map(b"".join))
def test_whatever_comes_back_is_a_package_or_an_error_without_the_token(scripted, data):
    listener, script = scripted
    script[:] = [data]
    try:
        said = repr(client(listener, IMPATIENT._replace(tries=1)).package("demo"))
    except CloacinaError as error:
        said = repr(error.diagnostics)
    assert WRITE not in said


def test_a_wait_that_is_over_is_over():
    with pytest.raises(CloacinaError) as caught:
        Deadline(-1, "the test", "x").left()
    assert "the test did not end within" in caught.value.diagnostics[0].message


@pytest.mark.parametrize("pieces", [
    [b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"],
    [b"HTTP", b"/1.1 100 Con", b"tinue\r\nx: y\r\n", b"\r\nHTTP/1.1 102 P\r\n\r\n"],
])  # fmt: skip
def test_leave_to_go_on_that_comes_with_more_interim_answers(blob, pieces):
    def talkative(line):
        asked = line.asked()
        sends(*pieces, wait=0.02)(line)
        line.body(asked)
        line.send(response(201, {"package_id": "a", "tenant_id": "t"}))

    with Listener(talkative) as listener:
        assert client(listener).upload(blob[0]) == "a"


def test_an_upload_that_is_taken_too_slowly_ends(blob, monkeypatch):
    monkeypatch.setattr(connection, "SLOWEST_UPLOAD", 100 * MIB)

    def slow(line):
        line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)  # else it grows
        while line.sock.recv(1 << 16):
            line.quit.wait(0.05)

    with Listener(slow) as listener, pytest.raises(CloacinaError) as caught:
        client(listener, IMPATIENT._replace(stall=30, tries=1)).upload(blob[0])
    found = caught.value.diagnostics[0]
    assert (found.code, "the upload did not end" in found.message) == (Code.NO_ANSWER, True)


def test_a_name_that_is_not_found_in_time_is_given_up(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: over.wait(30))
    with pytest.raises(CloacinaError) as caught:
        client(None, url="https://build.example").package("x")
    over.set()
    found = caught.value.diagnostics[0]
    assert (found.code, "connecting did not end" in found.message) == (Code.NO_ANSWER, True)


def test_the_next_address_of_a_name_is_tried(monkeypatch):
    def serve(line):
        line.asked()
        line.send(response(200, GOOD))

    def lookup(host, port, **_):
        places = [("127.0.0.1", 1), ("127.0.0.1", port)]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with Listener(serve) as listener:
        found = client(listener, url=f"http://localhost:{listener.port}").package("demo")
    assert found.name == "demo"


def test_no_address_answers_and_the_last_reason_is_told():
    # 192.0.2.0/24 is for documentation: nothing there answers, or the system knows no way to it.
    with pytest.raises(CloacinaError) as caught:
        client(None, url="http://192.0.2.1:9").package("x")
    assert caught.value.diagnostics[0].code in (Code.NO_ANSWER, Code.UNREACHABLE)


def test_what_the_system_says_of_a_connection_is_told_in_words():
    for error, code, words in (
        (TimeoutError(), Code.NO_ANSWER, "in time"),
        (OSError(113, ""), Code.UNREACHABLE, "no route to host"),
        (OSError(), Code.UNREACHABLE, "no address"),
        (ssl.SSLEOFError(8, "EOF"), Code.UNREACHABLE, "broke"),
    ):
        found = problem_of(error, "x").diagnostics[0]
        assert (found.code, words in found.message) == (code, True)
