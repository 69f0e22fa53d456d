"""`inspect` of an address: the beginning of the file is asked for, and read as any other."""

from __future__ import annotations

import re

import pytest

from cloacina_ctl.cli import main
from cloacina_ctl.errors import CloacinaError, Code, NetworkProblem
from cloacina_ctl.operations import remote
from cloacina_ctl.operations.inspect import inspect
from cloacina_ctl.server.address import parse_file_address
from cloacina_ctl.server.remote_file import refuse_insecure
from tests.support.sockets import Listener


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def serving(data, asked, *, ranges=True):
    """Answer as servers of files do, with or without ranges."""

    def answer(line):
        request = line.asked()
        asked.append(request)
        first, last = map(
            int, re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers["range"]).groups()
        )
        body, status, more = data, "200 OK", ""
        if ranges:
            body, status = data[first : last + 1], "206 Partial Content"
            more = f"Content-Range: bytes {first}-{first + len(body) - 1}/{len(data)}\r\n"
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
        line.send(head.encode() + body)

    return Listener(answer)


def code_of(url):
    with pytest.raises(CloacinaError) as caught:
        inspect(url)
    return caught.value.diagnostics[0].code


@pytest.mark.parametrize("ranges", [True, False])
def test_the_head_alone_is_fetched(signed, monkeypatch, ranges):
    data, asked = signed.read_bytes(), []
    here = inspect(str(signed))
    monkeypatch.setattr(remote, "FIRST_BYTES", len(data) - here.compressed)
    with serving(data, asked, ranges=ranges) as server:
        there = inspect(f"{server.url}/x.cloacina?token=abc")
    assert len(asked) == 1
    assert there._replace(path="") == here._replace(path="")
    assert there.path == f"{server.url}/x.cloacina?..."


@pytest.mark.parametrize("ranges", [True, False])
def test_a_longer_head_takes_a_second_request(signed, monkeypatch, ranges):
    data, asked = signed.read_bytes(), []
    monkeypatch.setattr(remote, "FIRST_BYTES", 100)
    with serving(data, asked, ranges=ranges) as server:
        assert inspect(f"{server.url}/x").content == inspect(str(signed)).content
    assert len(asked) == 2


def test_a_file_that_is_cut_short_on_the_server_is_seen_to_be(signed):
    with serving(signed.read_bytes()[:-10], []) as server:
        told = code_of(f"{server.url}/x")
    assert told is Code.TRUNCATED


def test_redirects_are_followed_and_end(signed):
    data, asked = signed.read_bytes(), []

    def to(place):
        def answer(line):
            asked.append(line.asked())
            line.send(
                f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode()
            )

        return answer

    with serving(data, []) as last, Listener(to(f"{last.url}/y?signed=1")) as first:
        assert inspect(f"{first.url}/x").size == len(data)
    asked.clear()
    with Listener(to("/round")) as server:
        assert code_of(f"{server.url}/x") is Code.REDIRECT
    assert len(asked) == 6
    with Listener(to("http://example.org/x")) as server:
        assert code_of(f"{server.url}/x") is Code.INSECURE


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ("404 Not Found\r\nContent-Length: 0", Code.NOT_THERE),
        ("403 Forbidden\r\nTransfer-Encoding: chunked", Code.DENIED),
        ("500 Oh\r\nContent-Length: 0", Code.SERVER_FAILED),
        ("200 OK\r\nTransfer-Encoding: chunked", Code.BAD_ANSWER),
        ("200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3", Code.BAD_ANSWER),
        ("302 Found\r\nLocation: ftp://example.org/x", Code.REDIRECT),
        ("302 Found\r\nLocation: http://[x/", Code.REDIRECT),
        ("302 Found\r\nLocation: /\x1b[2J", Code.REDIRECT),
        ("200 OK\r\nContent-Length: 5, 5", Code.BAD_ANSWER),
        ("206 Part\r\nContent-Length: 3\r\nContent-Range: bytes 5-7/9", Code.BAD_ANSWER),
        ("200 OK\r\nContent-Length: 3", Code.NOT_A_PACKAGE),
    ],
)
def test_what_a_server_says_instead_has_its_code(head, code):
    def answer(line):
        line.asked()
        line.send(f"HTTP/1.1 {head}\r\n\r\nabc".encode())

    with Listener(answer) as server:
        assert code_of(f"{server.url}/x") is code


def test_nobody_there_and_no_secure_way_are_of_the_network(capsys):
    with Listener(lambda line: None) as gone:
        url = gone.url
    assert main.run(["inspect", f"{url}/x.cloacina"]) == 7
    assert capsys.readouterr().err.startswith("error[N001] ")
    assert main.run(["inspect", "http://example.org/x.cloacina"]) == 7
    assert capsys.readouterr().err.startswith("error[N002] ")
    assert main.run(["inspect", "https://user:hunter2@example.org/x"]) == 2
    assert "hunter2" not in capsys.readouterr().err


def test_a_stranger_redirects_nobody_into_this_machine():
    stranger, here = map(parse_file_address, ("https://example.org/x", "http://localhost/x"))
    with pytest.raises(NetworkProblem, match="an address of this machine"):
        refuse_insecure(here, stranger)
    refuse_insecure(here, here)
    refuse_insecure(stranger, here)


def test_an_address_is_taken_apart_as_browsers_do():
    found = parse_file_address("https://Example.org:8443/a%20b/x?y=/z#part")
    assert (found.server.host, found.server.port) == ("Example.org", 8443)
    assert found.target == "/a%20b/x?y=/z"
    assert parse_file_address("https://example.org?x").target == "/?x"
