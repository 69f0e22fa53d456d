"""What uv or pip said when they failed: the reason, and whether it lies with the network.

An index that refuses, or that is not there, is to both of them one that has nothing: what they
conclude from it ("no matching distribution") says nothing then. No address has a user or a
password here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloacina_ctl.errors import BuildFailed, CloacinaError, Code, NetworkProblem
from cloacina_ctl.vendoring.declared.origins import without_user

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_MOST_WORDS = 800
_MOST_REASONS = 3
# How pip, uv and the libraries beneath them say that it was the network. Names of distributions
# (`certifi`, `tls-client`) stand in other lines: so no word alone counts.
_REASONS = re.compile(
    r"\b(?:40[137]\b.{0,40}(?:error|unauthori[sz]ed|forbidden|authentication|credentials)|"
    r"(?:client|server) error \(?[45][0-9]{2}|[45][0-9]{2} (?:client|server) error|"
    r"too many 5[0-9]{2} error|401 unauthorized|403 forbidden|(?:returned a|http error) 40[37]\b|"
    r"http error 5[0-9]{2}|tunnel (?:error|connection failed)|proxyerror|"
    r"proxy authori[sz]ation|proxy authentication|cannot connect to proxy|"
    r"connection (?:refused|reset|aborted|broken|error|timed out)|connection-failed|"
    r"failed to establish a new connection|(?:read|connect|operation) timed out|"
    r"name or service not known|temporary failure in name resolution|failed to lookup address|"
    r"getaddrinfo failed|dns error|network is unreachable|no route to host|"
    r"ssl certificate|certificate[ _]verify[ _]failed|invalid peer certificate|sslerror|"
    r"ssl-verification-failed|not a trusted or secure host|handshake failure)",
    re.IGNORECASE,
)
_MISSING = re.compile(r"\b404\b")
_ADDRESS = re.compile(r"https?://[^\s'\"`()<>,]+")
_RETRYING = re.compile(r"Retrying \(.*?\) after connection broken by '(.*)': (\S+)$")
_LABEL = re.compile(r"(?:warning|error|hint|cause): ?|could not fetch url ", re.IGNORECASE)
_BUILD = (
    "only wheels are taken; of what is published as source alone, build a wheel where you "
    "trust it (`pip wheel -w FOLDER …`) and name the folder with --wheelhouse"
)
_GIVE = (
    "a wheel takes `{0}` from an address of its own: fetch or build that wheel into a folder DIR, "
    "and name it: `--vendor-source {0}=DIR`"
)
_NETWORK = "check the address, the password, the certificates and the proxy that {} is told of"
_URL_OF_DEPENDENCY = re.compile(r"Package `?([A-Za-z0-9._-]+)`? .*?URL", re.DOTALL)


def failure(
    program: str, what: str, lines: Sequence[str], status: int, house: str | None
) -> CloacinaError:
    """Return the error for ``program``, which said ``lines`` and did not do ``what``."""
    said = [without_user(line.strip(" │├╰╴×─▶\r")) for line in lines]
    reasons = tuple(network_reasons(said))
    address = next((found[0] for line in said if (found := _ADDRESS.search(line))), None)
    if reasons and house is not None and address is not None:
        return BuildFailed.of(
            Code.RESOLVING,
            f"a wheel takes a dependency from an address, where {house} is the only place: "
            f"{address}",
            hint=_GIVE.format("NAME"),
        )
    if reasons and house is None:
        return NetworkProblem.of(
            Code.INDEX_FAILED,
            f"{program} gets no answer from the index of packages: {'; '.join(reasons)}",
            hint=_NETWORK.format(program),
        )
    text = _words(said) or f"exit status {status}"
    return BuildFailed.of(Code.RESOLVING, f"{what}: {text}", hint=_hint(said, house))


def network_reasons(lines: Iterable[str]) -> list[str]:
    """Return what of ``lines`` says that it was the network, each once and with its address."""
    found: dict[str, None] = {}
    address = ""
    for line in lines:
        seen = _ADDRESS.search(line)
        address = seen[0].rstrip(".:") if seen is not None else address
        if _REASONS.search(line) is None or _MISSING.search(line) is not None:
            continue
        text = _RETRYING.sub(r"\1", line)
        text = _LABEL.sub("", text, count=1).removesuffix(" - skipping")
        if seen is None and address and address not in text:
            text = f"{address}: {text}"
        found.setdefault(text[:300])
    return [one for one in found if not _is_part(one, found)][:_MOST_REASONS]


def _is_part(text: str, others: Iterable[str]) -> bool:
    return any(text != other and text in other for other in others)


def _words(said: Sequence[str]) -> str:
    """Return what a program said that tells most, on one line: from its first error on."""
    kept = [line for line in said if line and not line.upper().startswith("WARNING")]
    first = next((n for n, line in enumerate(kept) if line.lower().startswith("error")), 0)
    text = re.sub(r"\s+", " ", " ".join(kept[first:]))
    return re.sub(r"\berror: ?", "", text, flags=re.IGNORECASE)[:_MOST_WORDS]


def _hint(said: Sequence[str], house: str | None) -> str:
    asked = next(filter(None, map(_URL_OF_DEPENDENCY.search, said)), None)
    if asked is not None:
        return _GIVE.format(asked[1])
    if any("unexpected argument" in line for line in said):
        return "update the program: it does not know this option yet"
    if house is not None:
        return "only wheels of this folder are taken: put what is missing there"
    return _BUILD
