"""Which places of the file system a package's code has, whoever runs it; which lies below which."""

from __future__ import annotations

import os

# What a program needs of a system; of `/etc` what names hosts, users, certificates and places.
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

# Each of them is the code's own, where it has a root of its own.
TEMPORARY = ("/tmp", "/var/tmp", "/dev/shm")  # noqa: S108

# What is missing where they are everybody's.
NO_ROOT = "a file system of its own"


def is_below(path: str, folder: str) -> bool:
    """Return whether ``path`` is ``folder`` or in it, both absolute and without dots."""
    return path == folder or path.startswith(os.path.join(folder, ""))
