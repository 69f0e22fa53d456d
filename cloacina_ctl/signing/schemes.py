"""The signature schemes of legacy packages in words: what a signature covers and what not."""

from __future__ import annotations

from cloacina_ctl.values import NamedTuple

_NO_STATEMENT = "its purpose: the 32 signed bytes state neither purpose nor format"
_NO_NAME = "a name or a version: only the bytes, whatever they are called"


class Scheme(NamedTuple):
    """A form of signature: what it covers, and what can be changed without breaking it."""

    name: str
    covers: str
    leaves_out: tuple[str, ...]


SIDECAR = Scheme(
    name="sidecar",
    covers="every byte of the file",
    leaves_out=("the time in the sidecar: anyone can change it", _NO_NAME, _NO_STATEMENT),
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
