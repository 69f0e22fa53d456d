"""Changing a TOML text and leaving its comments and order alone: the one door to ``tomlkit``.

Loading it costs three starts of the interpreter, so it is loaded only where an author's own
``package.toml`` or ``Cargo.toml`` has to change (docs/decisions/0010-tomlkit.md), or a text is
written.
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
    what a parser took; the caller compares the result with the wanted tables.
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


def dump_in_lines(table: Mapping[str, Any]) -> bytes:
    """Return the same in lines for reviews: each value of a list, and a table of plain values."""
    return dump({key: _in_lines(value) for key, value in table.items()})


def _in_lines(value: Any) -> Any:  # noqa: ANN401 - whatever a table holds
    import tomlkit

    if isinstance(value, str) and '"' in value and "'" not in value and value.isprintable():
        return tomlkit.string(value, literal=True)
    if isinstance(value, dict):
        items = {key: _in_lines(one) for key, one in value.items()}
        if any(isinstance(one, (dict, list)) for one in items.values()):
            return items
        table = tomlkit.inline_table()
        table.update(items)
        return table
    if isinstance(value, list) and not any(isinstance(one, dict) for one in value):
        lines = tomlkit.array().multiline(len(value) > 1)
        lines.extend(map(_in_lines, value))
        return lines
    return list(map(_in_lines, value)) if isinstance(value, list) else value


def _edit_table(table: Any, values: Mapping[str, Any]) -> None:  # noqa: ANN401 - it has no types
    plain = table.unwrap() if hasattr(table, "unwrap") else dict(table)
    for key in [key for key in plain if key not in values]:
        del table[key]
    for key, value in values.items():
        if key not in plain or plain[key] != value:
            table[key] = value
