"""The places of the file system that every package's code has; and which lies below which."""

from __future__ import annotations

import os

# What programs need of a system; of `/etc` the names of hosts, users, certificates and places.
SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store", "/gnu/store",
    "/var/lib/ca-certificates", "/sys/devices/system/cpu", "/sys/devices/system/node",
    *(f"/etc/{name}" for name in (
        "alternatives", "ca-certificates", "crypto-policies", "fonts", "gai.conf", "group",
        "host.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime",
        "mime.types", "nsswitch.conf", "os-release", "passwd", "pki/ca-trust", "pki/tls/cert.pem",
        "pki/tls/certs", "pki/tls/openssl.cnf", "protocols", "resolv.conf", "services",
        "ssl/cert.pem", "ssl/certs", "ssl/openssl.cnf", "timezone",
    )),
)  # fmt: skip

# Private to the code, where it has a root of its own.
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108

# What is missing where they are shared with all users.
NO_ROOT = "a file system of its own"


def is_below(path: str, folder: str) -> bool:
    """Return whether ``path`` is ``folder`` or in it, both absolute and without dots."""
    return path == folder or path.startswith(os.path.join(folder, ""))
