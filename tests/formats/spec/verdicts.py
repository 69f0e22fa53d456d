"""What the reader says of bytes: the answer, or the codes of the refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cloacina_ctl.errors import CloacinaError
from cloacina_ctl.operations.inspect import Inspection, inspect
from cloacina_ctl.operations.unpack import unpack
from cloacina_ctl.operations.verify import Verified, verify
from cloacina_ctl.signing.keys import PublicKey
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support.envelopes import public_key

if TYPE_CHECKING:
    from pathlib import Path


class Judge:
    """Verifies packages; unless said otherwise, unsigned ones are allowed and no key is known."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._asked = 0

    def write(self, data: bytes) -> str:
        """Return the path of a new file with these bytes."""
        self._asked += 1
        path = self.folder / f"{self._asked}.cloacina"
        path.write_bytes(data)
        return str(path)

    def rule(
        self, *seeds: bytes, unsigned: bool = True, threshold: int = 1, **more: object
    ) -> VerificationPolicy:
        """Return the rule of somebody who knows the keys of these seeds."""
        files = []
        for seed in seeds:
            path = self.folder / f"{seed[0]}.pub"
            path.write_bytes(PublicKey.from_raw(public_key(seed)).to_pem())
            files.append(str(path))
        return VerificationPolicy(
            keys=tuple(files), allow_unsigned=unsigned, threshold=threshold, jobs=1, **more
        )

    def verify(self, data: bytes, *seeds: bytes, **rule: object) -> Verified:
        """Return the answer to `verify`."""
        return verify(self.write(data), self.rule(*seeds, **rule))

    def refuses(self, data: bytes, *seeds: bytes, **rule: object) -> set[str]:
        """Return the codes with which `verify` refuses."""
        return refusal(verify, self.write(data), self.rule(*seeds, **rule))

    def refuses_to_unpack(self, data: bytes, *seeds: bytes, **rule: object) -> set[str]:
        """Return the codes with which `unpack` refuses; nothing must be left of the try."""
        target = self.folder / "unpacked"
        codes = refusal(unpack, self.write(data), str(target), self.rule(*seeds, **rule))
        assert not target.exists()
        return codes

    def inspect(self, data: bytes) -> Inspection:
        """Return the answer to `inspect`."""
        return inspect(self.write(data))


def refusal(function, *arguments, **named) -> set[str]:
    """Return the codes of the error that the call must raise."""
    with pytest.raises(CloacinaError) as caught:
        function(*arguments, **named)
    return {str(one.code) for one in caught.value.diagnostics}
