"""URLs of servers, and the proxies on the way to them."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloacina_ctl.errors import Code, NetworkProblem, UsageError
from cloacina_ctl.server.address import escape_segment, parse_address
from cloacina_ctl.server.proxies import proxy_for
from tests.server.clients import GOOD, IMPATIENT, client, sends
from tests.support.cloacina_server import response
from tests.support.sockets import Listener


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://host", "https://host"),
        ("HTTPS://host/", "https://host"),
        ("https://host:443", "https://host"),
        ("http://host:8080/base/", "http://host:8080/base"),
        ("http://host/base/v1", "http://host/base"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://[::1]", "http://[::1]"),
        ("https://xn--bcher-kva.example.", "https://xn--bcher-kva.example."),
    ],
)
def test_reads_an_address(text, url):
    assert parse_address(text).url == url


@pytest.mark.parametrize(
    "text",
    [
        "", "host", "ftp://host", "file:///x", "https://", "https:///x", "https://a b", "https://ä",
        "https://host\r\nX: y", "https://host:0", "https://host:65536", "https://host:x",
        "https://host:123456", "https://a..b", "https://-a", "https://host?x=1", "https://host/#x",
        "https://host/a b", "https://host/%2e", "https://host/../x", "https://host/./x",
        "https://host//x", "https://[::1", "https://[x]", "https://[::1]x", "https://::1",
        "https://" + "a" * 3000, "https://user@host",
    ],
)  # fmt: skip
def test_refuses_an_address(text):
    with pytest.raises(UsageError):
        parse_address(text)


@pytest.mark.parametrize(
    "text", ["https://me:hush@host", "https://me:hu/sh@host", "https://h/?x=hush"]
)
def test_a_secret_in_an_address_is_not_repeated(text):
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    assert "hush" not in repr(caught.value.diagnostics)
    assert "hu" not in caught.value.diagnostics[0].message.replace("such", "")


@pytest.mark.parametrize(
    ("host", "is_here"),
    [
        ("localhost", True), ("LOCALHOST.", True), ("a.localhost", True), ("127.0.0.1", True),
        ("127.9.9.9", True), ("[::1]", True), ("127.0.0.1.example", False), ("[::2]", False),
        ("10.0.0.1", False), ("localhost.example", False),
    ],
)  # fmt: skip
def test_knows_this_machine(host, is_here):
    assert parse_address(f"http://{host}").is_loopback is is_here


@given(st.text())
def test_a_segment_is_one_and_can_be_read_back(text):
    """Whatever a name holds, it is one segment of ASCII, and no dots that somebody resolves."""
    from urllib.parse import unquote

    segment = escape_segment(text)
    assert segment.isascii()
    assert not set(segment) & set("/?#\r\n \\")
    assert segment not in (".", "..")
    assert unquote(segment, errors="surrogatepass") == text


SERVER = parse_address("https://build.example:8443")


@pytest.fixture
def proxy_in(monkeypatch):
    """Return the proxy for an address, with these variables in the environment."""

    def find(address, environment):
        with monkeypatch.context() as patched:
            for name, value in environment.items():
                patched.setenv(name, value)
            return proxy_for(address)

    return find


@pytest.mark.parametrize(
    ("environment", "proxy"),
    [
        ({}, None),
        ({"https_proxy": "http://p:3128"}, "http://p:3128"),
        ({"HTTPS_PROXY": "p:3128"}, "http://p:3128"),
        ({"https_proxy": "http://p"}, "http://p:1080"),
        ({"https_proxy": "http://small:1", "HTTPS_PROXY": "http://large:1"}, "http://small:1"),
        ({"all_proxy": "http://p:1"}, "http://p:1"),
        ({"ALL_PROXY": "http://p:1/"}, "http://p:1"),
        ({"http_proxy": "http://p:1"}, None),
        ({"https_proxy": ""}, None),
        ({"https_proxy": "http://p:1", "no_proxy": "*"}, None),
        ({"https_proxy": "http://p:1", "NO_PROXY": "a, .example"}, None),
        ({"https_proxy": "http://p:1", "no_proxy": "build.EXAMPLE"}, None),
        ({"https_proxy": "http://p:1", "no_proxy": "*.example"}, None),
        ({"https_proxy": "http://p:1", "no_proxy": "build.example:8443"}, None),
        ({"https_proxy": "http://p:1", "no_proxy": "build.example:1"}, "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "xbuild.example,ild.example,."}, "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "[::1]:80"}, "http://p:1"),
        ({"https_proxy": "http://p:1", "no_proxy": "10.0.0.0/8, ::/0, /, 1/x"}, "http://p:1"),
    ],
)  # fmt: skip
def test_finds_the_proxy_that_users_expect(proxy_in, environment, proxy):
    found = proxy_in(SERVER, environment)
    assert (found.address.url if found else None) == proxy


def test_a_proxy_for_plain_http_is_not_taken_from_a_request(proxy_in):
    plain = parse_address("http://build.example")
    assert proxy_in(plain, {"HTTP_PROXY": "http://p:1"}).address.port == 1
    assert proxy_in(plain, {"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}) is None
    six = parse_address("https://[2001:db8::1]")
    assert proxy_in(six, {"https_proxy": "http://p:1", "no_proxy": "[2001:db8::1]"}) is None
    assert proxy_in(six, {"https_proxy": "http://p:1", "no_proxy": "2001:db8::1"}) is None


@pytest.mark.parametrize(
    ("url", "exceptions", "direct"),
    [
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://10.1.2.3", "10.9.9.9/8", True),
        ("https://11.1.2.3", "10.0.0.0/8", False),
        ("https://10.1.2.3", "10.0.0.0/99", False),
        ("https://10.1.2.3.example", "10.0.0.0/8", False),
        ("https://[2001:db8::1]", "2001:db8::/32", True),
        ("https://[2001:db8::1]", "2001:DB8:0::1", True),
        ("https://[2001:db8::1]", "10.0.0.0/8", False),
    ],
)
def test_a_network_is_excepted_from_the_proxy_by_its_numbers(proxy_in, url, exceptions, direct):
    found = proxy_in(parse_address(url), {"https_proxy": "http://p:1", "no_proxy": exceptions})
    assert (found is None) is direct


def test_this_machine_is_never_asked_for_through_a_proxy(proxy_in):
    here = parse_address("http://127.0.0.1:8080")
    assert proxy_in(here, {"http_proxy": "http://p:1", "all_proxy": "http://p:1"}) is None


def test_a_proxy_with_a_password_is_used_and_not_shown(proxy_in):
    found = proxy_in(SERVER, {"https_proxy": "http://me%40x:pa%3Ass@p:1"})
    assert (
        base64.b64decode(found.headers["Proxy-Authorization"].removeprefix("Basic "))
        == b"me@x:pa:ss"
    )
    found = proxy_in(SERVER, {"https_proxy": "http://me@p:1"})
    assert base64.b64decode(found.headers["Proxy-Authorization"].removeprefix("Basic ")) == b"me:"
    for value in ("https://me:hush@p:1", "socks5://me:hush@p", "http://me:hu/sh@p:x"):
        with pytest.raises(UsageError) as caught:
            proxy_in(SERVER, {"https_proxy": value})
        assert "hush" not in repr(caught.value.diagnostics)
        assert "hu/sh" not in repr(caught.value.diagnostics)


def test_plain_http_goes_to_the_proxy_with_the_whole_address(monkeypatch):
    seen = []

    def proxy(line):
        seen.append(line.asked())
        line.send(response(200, GOOD))

    with Listener(proxy) as listener:
        monkeypatch.setenv("http_proxy", listener.url.replace("http://", "http://me:word@"))
        assert client(None, url="http://build.example:8080").package("x").name == "demo"
    assert seen[0].target == "http://build.example:8080/v1/tenants/t/workflows/x"
    assert seen[0].headers["host"] == "build.example:8080"
    assert "proxy-authorization" in seen[0].headers


def test_a_proxy_without_a_password_gets_none(monkeypatch):
    seen = []

    def proxy(line):
        seen.append(line.asked())
        line.send(response(200, GOOD))

    with Listener(proxy) as listener:
        monkeypatch.setenv("http_proxy", listener.url)
        assert client(None, url="http://build.example").package("x").name == "demo"
    assert "proxy-authorization" not in seen[0].headers


@pytest.mark.parametrize("host", ["build.example", "[2001:db8::1]"])
@pytest.mark.parametrize("status", [200, 403, 407])
def test_tls_goes_through_a_tunnel_that_never_sees_the_token(monkeypatch, host, status):
    seen = []

    def proxy(line):
        asked = line.asked()
        seen.append(asked)
        line.send(b"HTTP/1.1 %d X\r\n\r\n" % status)
        if status == 200:
            seen.append(line.sock.recv(5))

    with Listener(proxy) as listener:
        monkeypatch.setenv("https_proxy", listener.url.replace("http://", "http://me:word@"))
        with pytest.raises(NetworkProblem) as caught:
            client(None, IMPATIENT._replace(tries=1), f"https://{host}:8443").package("x")
    assert (seen[0].method, seen[0].target) == ("CONNECT", f"{host}:8443")
    assert "authorization" not in seen[0].headers
    assert seen[0].headers["proxy-authorization"].startswith("Basic ")
    if status == 200:
        assert seen[1][:1] == b"\x16"  # the first byte of TLS
    else:
        assert str(status) in caught.value.diagnostics[0].message


def test_a_proxy_that_speaks_no_http_is_not_quoted(monkeypatch):
    with Listener(lambda line: line.send(b"hush Basic bWU6d29yZA==\r\n\r\n")) as listener:
        monkeypatch.setenv("https_proxy", listener.url)
        with pytest.raises(NetworkProblem) as caught:
            client(None, url="https://build.example").package("x")
    assert caught.value.diagnostics[0].code == Code.BAD_ANSWER
    assert "hush" not in caught.value.diagnostics[0].message


def test_a_proxy_that_drips_is_given_up(monkeypatch):
    def drips(line):
        line.asked()
        sends(b"HTTP/1.1 200 OK\r\n", *([b"x: y\r\n"] * 50), wait=0.05)(line)

    with Listener(drips) as listener:
        monkeypatch.setenv("https_proxy", listener.url)
        with pytest.raises(NetworkProblem) as caught:
            client(None, url="https://build.example").package("x")
        assert listener.connections == 1
    found = caught.value.diagnostics[0]
    assert (found.code, "connecting did not end" in found.message) == (Code.NO_ANSWER, True)
