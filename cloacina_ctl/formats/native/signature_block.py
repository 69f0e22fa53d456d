"""The signature frame: the signatures and the list of withheld sections.

Anyone can write into it, so nothing in it is trusted by itself; its form is still exact, so that
one block has one spelling.
"""

from __future__ import annotations

import struct

from cloacina_ctl.dsse import Envelope
from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.formats.layout import COMMON, END, FORMAT_VERSION
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.manifest import canonical
from cloacina_ctl.values import NamedTuple

FRAME_MAGIC = b"\x5c\x2a\x4d\x18"
BLOCK_MAGIC = b"cloacina"
FRAME_HEADER = struct.Struct("<4sI")
BLOCK_HEADER = struct.Struct("<8sHHI")
PREAMBLE_BYTES = FRAME_HEADER.size + BLOCK_HEADER.size


class Preamble(NamedTuple):
    """The fixed bytes at the start of a package, checked; sizes in bytes."""

    block_size: int
    head_size: int

    @property
    def head_offset(self) -> int:
        """Where the head frame begins in the file."""
        return FRAME_HEADER.size + self.block_size


class SignatureBlock(NamedTuple):
    """The content of the signature frame; ``withheld`` names sections that were removed."""

    envelopes: tuple[Envelope, ...] = ()
    withheld: tuple[str, ...] = ()


def encode_block(block: SignatureBlock, head_size: int, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Return the whole signature frame, or raise ``Refused`` where it does not fit its limits."""
    _check_lists(block, "the signature frame")
    value: canonical.JsonObject = {
        "envelopes": [envelope.to_json() for envelope in block.envelopes],
        "withheld": list(block.withheld),
    }
    text = canonical.encode(value)
    size = BLOCK_HEADER.size + len(text)
    if size > limits.signature_block or len(block.envelopes) > limits.envelopes:
        raise Refused.of(
            Code.BLOCK_FULL,
            f"{len(block.envelopes)} signatures of {size} bytes do not fit: at most "
            f"{limits.envelopes} and {limits.signature_block} bytes",
            hint="remove one: `cloacina-ctl sign --remove FINGERPRINT`",
        )
    frame = FRAME_HEADER.pack(FRAME_MAGIC, size)
    return frame + BLOCK_HEADER.pack(BLOCK_MAGIC, FORMAT_VERSION, 0, head_size) + text


def read_preamble(start: bytes, *, where: str, limits: Limits = DEFAULT_LIMITS) -> Preamble:
    """Return the first bytes of a package, checked before anything else of it is read."""
    if len(start) < PREAMBLE_BYTES:
        raise Refused.of(
            Code.TRUNCATED,
            "cut short: it ends inside the signature frame",
            where=where,
            hint="fetch or copy it again",
        )
    _, block_size = FRAME_HEADER.unpack_from(start)
    magic, version, flags, head_size = BLOCK_HEADER.unpack_from(start, FRAME_HEADER.size)
    if magic != BLOCK_MAGIC:
        raise Refused.of(
            Code.NOT_A_PACKAGE,
            "not a package: its first frame is not a signature frame",
            where=where,
        )
    if version > FORMAT_VERSION:
        raise Refused.of(
            Code.NEWER_FORMAT,
            f"made by a newer version: format {version}, and this version reads {FORMAT_VERSION}",
            where=where,
            hint="update cloacina-ctl",
        )
    if version < FORMAT_VERSION:
        raise _bad(f"format version {version} has no signature frame", where)
    if flags:
        raise _bad(f"reserved flags are set: {flags:#06x}", where)
    limits.check("signature_block", block_size, where=where, what="the size of the signature block")
    limits.check("head_compressed", head_size, where=where, what="the compressed size of the head")
    if block_size <= BLOCK_HEADER.size or not head_size:
        raise _bad("the signature block or the head is empty", where)
    return Preamble(block_size, head_size)


def decode_block(text: bytes, *, where: str, limits: Limits = DEFAULT_LIMITS) -> SignatureBlock:
    """Return the content of the block's JSON; refuse every other spelling of it."""
    value = canonical.decode(text, what="the signature block", max_bytes=limits.signature_block)
    if not isinstance(value, dict) or value.keys() != {"envelopes", "withheld"}:
        raise _bad("the block is not an object of `envelopes` and `withheld`", where)
    envelopes, withheld = value["envelopes"], value["withheld"]
    if not isinstance(envelopes, list) or not isinstance(withheld, list):
        raise _bad("`envelopes` and `withheld` must be lists", where)
    limits.check("envelopes", len(envelopes), where=where, what="the number of signatures")
    if not all(isinstance(name, str) for name in withheld):
        raise _bad("`withheld` must hold section names", where)
    block = SignatureBlock(
        tuple(Envelope.from_json(item, where=where) for item in envelopes),
        tuple(str(name) for name in withheld),
    )
    _check_lists(block, where)
    return block


def _check_lists(block: SignatureBlock, where: str) -> None:
    if len(set(block.envelopes)) != len(block.envelopes):
        raise _bad("two equal signatures", where)
    if list(block.withheld) != sorted(set(block.withheld)):
        raise _bad("`withheld` is not in order, or names a section twice", where)
    if {COMMON, END} & set(block.withheld):
        raise _bad("a section that cannot be withheld is listed in `withheld`", where)


def _bad(message: str, where: str) -> Refused:
    return Refused.of(Code.BAD_SIGNATURE_FRAME, message, where=where)
