"""Results as plain values: what the command line shows and what ``--json`` holds.

One shape for each thing, whichever verb shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.manifest.canonical import JsonObject, JsonValue
    from cloacina_ctl.signing.judge import Judged


class SignatureView(NamedTuple):
    """A signature: ``status`` is what was checked; ``claimed`` is text that was not.

    ``name`` is the user's own name for the key; ``signed_at`` is there where the signature holds.
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

    def to_json(self) -> JsonObject:
        """Return the JSON of it; what is not known is absent."""
        found: JsonObject = {"keyid": self.keyid, "status": self.status}
        optional: dict[str, JsonValue] = {
            "name": self.name,
            "signed_at": self.signed_at,
            "comment": self.comment,
            "reason": self.reason,
            "predicate_type": None if self.is_signature else self.predicate_type,
            "claimed": dict(self.claimed) or None,
        }
        found.update({key: value for key, value in optional.items() if value is not None})
        return found


def signature_view(judged: Judged) -> SignatureView:
    """Return what may be shown of a judged signature: unverified text only as claimed."""
    claims = judged.claims
    texts = {
        key: value
        for key, value in (claims._asdict() if claims is not None else {}).items()
        if value is not None
    }
    predicate_type = texts.pop("predicate_type", None)
    return SignatureView(
        keyid=judged.keyid,
        status=judged.status.value,
        is_signature=judged.is_signature,
        name=judged.name,
        signed_at=judged.signed_at,
        comment=texts.get("comment") if judged.holds else None,
        reason=judged.reason,
        predicate_type=predicate_type,
        claimed=() if judged.holds else tuple(sorted(texts.items())),
    )
