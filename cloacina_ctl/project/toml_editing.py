"""Changing a TOML text and leaving its comments and order alone: the one door to ``tomlkit``.

Loading it costs three starts of the interpreter, so it is loaded only where an author's own
``package.toml`` or ``Cargo.toml`` has to change (docs/decisions/0010-tomlkit.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def edit(
    text: bytes, wanted: Mapping[str, Mapping[str, Any]], without: Sequence[str]
) -> bytes | None:
    """Return ``text`` with each table as ``wanted`` has it and the tables ``without`` gone.

    Keys that are there keep their place and their comments. None where the editor does not take
    what a parser took; whoever uses the result compares it with what was wanted.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        document = tomlkit.parse(text.decode())
        for name in without:
            if name in document:
                del document[name]
        for name, values in wanted.items():
            if not isinstance(document.get(name), dict):
                document[name] = tomlkit.table()
            _edit_table(document[name], values)
        return tomlkit.dumps(document).encode()
    except (TOMLKitError, ValueError, TypeError, KeyError, RecursionError):
        return None


def dump(table: Mapping[str, Any]) -> bytes:
    """Return the text of a table, in its order: the same text for the same table."""
    import tomlkit

    return tomlkit.dumps(table).encode()


def _edit_table(table: Any, values: Mapping[str, Any]) -> None:  # noqa: ANN401 - it has no types
    plain = table.unwrap() if hasattr(table, "unwrap") else dict(table)
    for key in [key for key in plain if key not in values]:
        del table[key]
    for key, value in values.items():
        if key not in plain or plain[key] != value:
            table[key] = value
