#!/bin/sh
# urllib3 2.8.0 and requests 2.34.2, over http.client of Python 3.11.7: of the interim answers that a server
# may send before its answer, `100 Continue` alone is skipped. `103 Early Hints` (RFC 8297) and
# `102 Processing` are returned as the answer, without a body, and the answer itself is lost;
# `raise_for_status` and urllib3's `response.status < 400` find nothing wrong. RFC 9110, 15.2: a
# client must be able to parse interim answers before the final one, even if it expects none.
# httpx 0.28.1 skips all of them.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/python -m pip --quiet --disable-pip-version-check install urllib3==2.8.0 requests==2.34.2 httpx==0.28.1

cat > ask.py <<'PYTHON'
import platform, socket, threading
import httpx, requests, urllib3

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
INTERIM = {"100": b"HTTP/1.1 100 Continue\r\n\r\n", "102": b"HTTP/1.1 102 Processing\r\n\r\n", "103": HINTS}

def serve(listener):
    while True:
        connection, _ = listener.accept()
        with connection:
            head = b""
            while b"\r\n\r\n" not in head:
                head += connection.recv(65536)
            name = head.split()[1].decode().strip("/")
            connection.sendall(INTERIM[name] + ANSWER)

listener = socket.create_server(("127.0.0.1", 0))
threading.Thread(target=serve, args=(listener,), daemon=True).start()
url = f"http://127.0.0.1:{listener.getsockname()[1]}"

def by_urllib3(name):
    found = urllib3.request("GET", f"{url}/{name}", retries=False)
    return found.status, found.data

def by_requests(name):
    with requests.Session() as session:
        session.trust_env = False
        found = session.get(f"{url}/{name}")
        found.raise_for_status()
        return found.status_code, found.content

def by_httpx(name):
    found = httpx.get(f"{url}/{name}", trust_env=False)
    return found.status_code, found.content

print("Python", platform.python_version())
seen = {}
for by in (by_urllib3, by_requests, by_httpx):
    for name in INTERIM:
        seen[by.__name__, name] = by(name)
        print(f"{by.__name__:<12} after {name}:", *seen[by.__name__, name])

answer = (200, b"hello")
for by in ("by_urllib3", "by_requests"):
    assert seen[by, "100"] == answer
    assert seen[by, "102"] == (102, b""), "changed: 102 is skipped"
    assert seen[by, "103"] == (103, b""), "changed: 103 is skipped"
assert all(seen["by_httpx", name] == answer for name in INTERIM)
print("an interim answer other than 100 is taken for the answer, and the answer is lost")
PYTHON
env/bin/python ask.py
