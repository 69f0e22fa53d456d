"""The body of an upload: one file in ``multipart/form-data``, streamed from a descriptor.

Only the verified bytes are sent: they are hashed once more, and the last of them are not sent where
the digest differs. Nothing of the package is in the headers, so no file name can end them.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.files.staging import reported
from cloacina_ctl.server.bounded_socket import PIECE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloacina_ctl.digest import Digest

FIELD = "file"  # the server's route reads this one; guides say `package`, which it refuses
FILE_NAME = "package.cloacina"
ASK_FROM_BYTES = 1 << 20


class Upload:
    """The package open at ``fd``, with that size and SHA-256, as the body of a request."""

    def __init__(
        self,
        fd: int,
        size: int,
        digest: Digest,
        path: str,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._fd = fd
        self._length = size
        self._digest = digest
        self._path = path
        self._progress = progress
        self._boundary = "cloacina-ctl-" + os.urandom(16).hex()
        self._before = (
            f"--{self._boundary}\r\n"
            f'Content-Disposition: form-data; name="{FIELD}"; filename="{FILE_NAME}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        ).encode("ascii")
        self._after = f"\r\n--{self._boundary}--\r\n".encode("ascii")

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The headers of a request with this body."""
        return (
            ("Content-Type", f"multipart/form-data; boundary={self._boundary}"),
            ("Content-Length", str(self.size)),
            *((("Expect", "100-continue"),) if self.asks_first else ()),
        )

    @property
    def asks_first(self) -> bool:
        """Whether to wait for 100 Continue, so that a refused token costs no upload."""
        return self.size >= ASK_FROM_BYTES

    @property
    def size(self) -> int:
        """The bytes of the body."""
        return len(self._before) + self._length + len(self._after)

    def pieces(self) -> Iterator[bytes]:
        """Yield the body; raises ``Refused`` where the file is not the verified one."""
        yield self._before
        sha256 = hashlib.sha256()
        done = 0
        while done < self._length:
            with reported(self._path):
                piece = os.pread(self._fd, min(PIECE, self._length - done), done)
            done += len(piece)
            sha256.update(piece)
            if not piece or (done == self._length and sha256.hexdigest() != self._digest):
                raise Refused.of(
                    Code.CHANGED, "it changed while it was sent; nothing was published",
                    where=self._path,
                )  # fmt: skip
            yield piece
            if self._progress:
                self._progress(done, self._length)
        yield self._after
