"""Digests: one spelling."""

from __future__ import annotations

import hashlib

import pytest

from cloacina_ctl.digest import CONTENT_PREFIX, Digest
from cloacina_ctl.errors import Code, Refused

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_is_the_sha_256_of_the_bytes() -> None:
    assert Digest.of(b"") == EMPTY
    assert Digest.of(memoryview(b"abc")) == hashlib.sha256(b"abc").hexdigest()
    assert Digest.from_bytes(hashlib.sha256(b"").digest()) == EMPTY
    assert Digest.parse(EMPTY) == Digest(EMPTY)
    assert isinstance(Digest.parse(EMPTY), Digest)
    assert CONTENT_PREFIX == "sha256:"


@pytest.mark.parametrize(
    "text",
    [
        "",
        EMPTY[:-1],
        EMPTY + "0",
        EMPTY.upper(),
        EMPTY + "\n",
        " " + EMPTY,
        "sha256:" + EMPTY,
        "g" * 64,
        "\u0661" * 64,
        "none",
        "x" * 100_000,
    ],
)
def test_refuses_any_other_spelling(text: str) -> None:
    with pytest.raises(Refused) as caught:
        Digest.parse(text)
    assert caught.value.diagnostics[0].code is Code.FIELD_VALUE
    assert len(caught.value.diagnostics[0].message) < 200


def test_refuses_bytes_of_another_length() -> None:
    with pytest.raises(Refused):
        Digest.from_bytes(b"x" * 31)
