"""How the other generations sign, in words: what such a signature covers and what it does not."""

from __future__ import annotations

from cloacina_ctl.values import NamedTuple

_NO_STATEMENT = "what it is for: 32 bytes are signed that say neither purpose nor format"
_NO_NAME = "a name or a version: only the bytes, whatever they are called"


class Scheme(NamedTuple):
    """A form of signature: what one covers, and what somebody can change without breaking it."""

    name: str
    covers: str
    leaves_out: tuple[str, ...]


SIDECAR = Scheme(
    name="sidecar",
    covers="every byte of the file",
    leaves_out=("the time in the sidecar: anybody can change it", _NO_NAME, _NO_STATEMENT),
)
PACKAGE_SIG = Scheme(
    name="package.sig",
    covers="path and content of each file in the tree, but for those that it skips",
    leaves_out=(
        "files below folders called `target` or `.git`, and those called `*.sig`",
        "modes, times and empty folders",
        "the archive around the tree",
        _NO_NAME,
        _NO_STATEMENT,
    ),
)
