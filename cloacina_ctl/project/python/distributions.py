"""Matches modules with distributions by name, and finds the distributions in a package.

The names of a distribution and its module may differ, and only the distribution has both. So names
are only compared: a module that matches none is not assigned to any.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloacina_ctl.formats.layout import PLATFORM_FOLDER, VENDOR_FOLDER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_SEPARATORS = re.compile(r"[-_.]+")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_INFO = re.compile(r"([^/]+?)-[^/-]+\.(?:dist|egg)-info")
# Widely used distributions whose modules have another name, from their own `top_level.txt`.
_OTHERS = {
    "airflow": ("apache-airflow",), "attr": ("attrs",), "Bio": ("biopython",),
    "bs4": ("beautifulsoup4",), "Crypto": ("pycryptodome",), "Cryptodome": ("pycryptodomex",),
    "cv2": ("opencv-python", "opencv-python-headless", "opencv-contrib-python"),
    "dateutil": ("python-dateutil",), "docx": ("python-docx",), "dotenv": ("python-dotenv",),
    "dns": ("dnspython",), "fitz": ("pymupdf",), "gi": ("pygobject",), "git": ("gitpython",),
    "github": ("pygithub",), "googleapiclient": ("google-api-python-client",),
    "google": ("protobuf", "googleapis-common-protos"), "grpc": ("grpcio",),
    "imblearn": ("imbalanced-learn",), "jose": ("python-jose",),
    "jwt": ("pyjwt",), "kafka": ("kafka-python",), "ldap": ("python-ldap",),
    "magic": ("python-magic",), "mpl_toolkits": ("matplotlib",),
    "mysql": ("mysql-connector-python",), "MySQLdb": ("mysqlclient",), "nacl": ("pynacl",),
    "OpenSSL": ("pyopenssl",), "PIL": ("pillow",), "pkg_resources": ("setuptools",),
    "pptx": ("python-pptx",), "psycopg2": ("psycopg2-binary",), "serial": ("pyserial",),
    "osgeo": ("gdal",), "skimage": ("scikit-image",), "sklearn": ("scikit-learn",),
    "slugify": ("python-slugify",), "snowflake": ("snowflake-connector-python",),
    "socks": ("pysocks",), "telegram": ("python-telegram-bot",), "tlz": ("toolz",),
    "usb": ("pyusb",), "wx": ("wxpython",), "yaml": ("pyyaml",), "zmq": ("pyzmq",),
}  # fmt: skip


def normal_name(name: str) -> str:
    """Return the normal form of a distribution's name (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()


def name_of(requirement: str) -> str:
    """Return the name of the distribution in a normalized requirement."""
    match = _NAME.match(requirement)
    return normal_name(match[0]) if match else requirement


def distribution_of(module: str, declared: Iterable[str]) -> str | None:
    """Return which of the ``declared`` names matches the top-level ``module``."""
    known = modules_of(set(declared))
    return known.get(module) or known.get(normal_name(module).replace("-", "_"))


def modules_of(names: Iterable[str]) -> dict[str, str]:
    """Return the likely top-level modules of the distributions ``names``, each with its name."""
    found: dict[str, str] = {}
    for name in sorted(names):
        found.setdefault(name.partition("-")[0], name)
    for name in names:
        module = name.replace("-", "_")
        for start, end in (("python_", ""), ("", "_python"), ("py", "")):
            found[module.removeprefix(start).removesuffix(end)] = name
    for name in names:
        found[name.replace("-", "_")] = name
        found.update({module: name for module, others in _OTHERS.items() if name in others})
    return found


def vendored_paths(paths: Iterable[str]) -> set[str]:
    """Return the paths of vendored files of a package, relative to the folder on the path."""
    found = set()
    for path in paths:
        everywhere = not path.startswith(PLATFORM_FOLDER)
        inner = path if everywhere else path[len(PLATFORM_FOLDER) :].partition("/")[2]
        if inner.startswith(VENDOR_FOLDER):
            found.add(inner[len(VENDOR_FOLDER) :])
    return found


def not_packed(names: Iterable[str], paths: Collection[str]) -> tuple[str, ...]:
    """Return which of the distributions ``names`` a package with the files ``paths`` lacks."""
    tops = {path.partition("/")[0] for path in vendored_paths(paths)}
    infos = {normal_name(match[1]) for top in tops if (match := _INFO.fullmatch(top))}
    wanted = {name for name in names if name not in infos}
    by_hand = {distribution_of(top.split(".")[0], wanted) for top in tops}
    return tuple(sorted(wanted - by_hand))
