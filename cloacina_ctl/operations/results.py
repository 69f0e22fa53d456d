"""What the verbs that read return: the same for packages of every format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.digest import Digest
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.formats.file_index import FileEntry, Tool
    from cloacina_ctl.formats.legacy.model import LegacyManifest
    from cloacina_ctl.formats.plan import PlannedFile
    from cloacina_ctl.inspection.manifest_view import LegacyView
    from cloacina_ctl.manifest import Manifest
    from cloacina_ctl.manifest.canonical import JsonObject, JsonValue
    from cloacina_ctl.signing.signatures import CheckedSignature
    from cloacina_ctl.verification.verify import Evidence

# Results as plain values: what the command line shows and what ``--json`` holds.
#
# One shape for each thing, whichever verb shows it.


class SignatureView(NamedTuple):
    """A signature: ``status`` is what was checked; ``claimed`` is text that was not.

    ``name`` is the user's own name for the key; ``signed_at`` is there where the signature holds.
    ``scheme`` is the form of a legacy signature, which does not cover its claims; ``covers`` and
    ``leaves_out`` say what it is over, in words. ``keyid`` is empty where it names no key.
    """

    keyid: str
    status: str
    is_signature: bool
    name: str | None = None
    signed_at: str | None = None
    comment: str | None = None
    reason: str | None = None
    predicate_type: str | None = None
    claimed: tuple[tuple[str, str], ...] = ()
    scheme: str | None = None
    covers: str | None = None
    leaves_out: tuple[str, ...] = ()

    def to_json(self) -> JsonObject:
        """Return the JSON of it; what is not known is absent."""
        found: dict[str, JsonValue] = {
            "keyid": self.keyid or None,
            "status": self.status,
            "name": self.name,
            "signed_at": self.signed_at,
            "comment": self.comment,
            "reason": self.reason,
            "predicate_type": None if self.is_signature else self.predicate_type,
            "claimed": dict(self.claimed) or None,
            "scheme": self.scheme,
            "covers": self.covers,
            "leaves_out": list(self.leaves_out) or None,
        }
        return {key: value for key, value in found.items() if value is not None}


def signature_view(checked: CheckedSignature) -> SignatureView:
    """Return what may be shown of a checked signature: unverified text only as claimed."""
    claims = checked.claims
    texts = {
        key: value
        for key, value in (claims._asdict() if claims is not None else {}).items()
        if value is not None
    }
    predicate_type = texts.pop("predicate_type", None)
    scheme = checked.scheme
    return SignatureView(
        keyid=checked.keyid,
        status=checked.status.value,
        is_signature=checked.is_signature,
        name=checked.name,
        signed_at=checked.signed_at,
        comment=texts.get("comment") if checked.claims_hold else None,
        reason=checked.reason,
        predicate_type=predicate_type,
        claimed=() if checked.claims_hold else tuple(sorted(texts.items())),
        scheme=scheme.name if scheme is not None else None,
        covers=scheme.covers if scheme is not None else None,
        leaves_out=scheme.leaves_out if scheme is not None else (),
    )


# Lists that say something when they are empty; any other is null where the format says nothing.
_SAY_NONE = frozenset(
    {"dependencies", "tasks", "symbols", "nodes", "edges", "execution_order", "unknown"}
)
_NAMES = {"from_": "from", "number": "index"}


def manifest_json(manifest: Manifest | LegacyView, text: bytes) -> JsonValue:
    """Return the manifest as JSON: of a native package its own ``text``, of others the same shape.

    There every key is present, with null for what the format cannot say.
    """
    if manifest.format_version is not None:
        import json

        value: JsonValue = json.loads(text)
        return value
    found = plain(manifest)
    requires = found.get("requires") if isinstance(found, dict) else None
    if isinstance(requires, dict):
        requires["dependencies"] = None  # no legacy format says them: that is not to have none
    return found


def plain(value: object) -> JsonValue:
    """Return a value of ours as JSON, with all its fields; what is not said is null."""
    if isinstance(value, tuple):
        fields: tuple[str, ...] | None = getattr(value, "_fields", None)
        if fields is None:
            return [plain(item) for item in value]
        pairs = zip(fields, value, strict=True)
        return {_NAMES.get(name, name): _field(name, item) for name, item in pairs}
    if isinstance(value, bool | int) or value is None:
        return value
    return str(getattr(value, "value", value))


def _field(name: str, value: object) -> JsonValue:
    if name == "config" and isinstance(value, tuple):
        return {str(key): str(text) for key, text in value}
    if name == "unloaded":
        return None  # no legacy format says whether its packer loaded the library
    if value in ((), ""):
        return [] if name in _SAY_NONE else None
    return plain(value)


class Inspection(NamedTuple):
    """What a package says. Only ``signatures`` are checked.

    ``compressed`` is what the payload takes in this file, ``size`` the file itself, both in bytes.
    ``format`` is its format. One that is not native has no ``head`` and a ``manifest`` of the
    same shape, made of what it says and what its code says; ``original`` is its own manifest,
    ``releases`` are those of Cloacina that load it, as far as the manifest decides. ``warnings``
    say where the user's keys cannot be read: then no signature is by a known key. ``not_packed``
    are declared dependencies that the package does not hold.

    Of a project, whose ``format`` is ``project``, it is what a package would say: that has no size
    and no ``content`` yet. ``unbuilt`` names what a crate has only after a build.
    """

    path: str
    format: str
    size: int | None
    compressed: int | None
    content: str | None
    head: Digest | None
    manifest: Manifest | LegacyView
    manifest_bytes: bytes
    files: tuple[FileEntry, ...] | tuple[PlannedFile, ...]
    withheld: tuple[str, ...]
    tool: Tool | None
    signatures: tuple[SignatureView, ...]
    original: LegacyManifest | None = None
    releases: tuple[str, ...] = ()
    unbuilt: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    not_packed: tuple[str, ...] = ()


class Verified(NamedTuple):
    """What was proved of a package; ``complete`` is false where sections are withheld.

    ``trusted_signers`` holds the fingerprints of the trusted keys that signed it: empty only where
    the policy allowed that. A package of an older format has no ``head``, and its ``content`` is
    the digest of the whole file.
    """

    path: str
    format: str
    size: int
    name: str
    version: str
    content: str
    head: Digest | None
    files: int
    signatures: tuple[SignatureView, ...]
    trusted_signers: tuple[str, ...]
    complete: bool

    @classmethod
    def of(cls, evidence: Evidence) -> Verified:
        """Return what was proved, as ``verify`` shows it."""
        found = evidence.identity
        return cls(
            path=found.path,
            format=found.format,
            size=evidence.size,
            name=found.name,
            version=found.version,
            content=found.content,
            head=evidence.head,
            files=len(evidence.files),
            signatures=tuple(map(signature_view, evidence.signatures)),
            trusted_signers=evidence.trusted_signers,
            complete=evidence.complete,
        )


class Unpacked(NamedTuple):
    """What lies in ``destination`` now; not ``complete`` where only some members were asked for."""

    path: str
    format: str
    destination: str
    name: str
    version: str
    content: str
    files: tuple[str, ...]
    size: int
    signatures: tuple[SignatureView, ...]
    trusted_signers: tuple[str, ...]
    complete: bool
