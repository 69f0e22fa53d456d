"""Libraries as the macros of the releases leave them, in the small."""

from __future__ import annotations

import json
import struct

from tests.support.elf_builder import Elf, Pointer

HASH = 0x5294867F0800277B
FINGERPRINT = "0123456789abcdef"
ETL = {"extract": (), "transform": ("extract",), "load": ("extract", "transform")}
ETL_TASKS = (("extract", ()), ("load", ("extract", "transform")), ("transform", ("extract",)))


def graph_json(tasks: dict[str, tuple[str, ...]] = ETL, **changed: object) -> str:
    """Return the text that the macros write for ``tasks``."""
    graph = {
        "edges": [
            {"data": {"dependency_type": "data", "weight": None}, "from": need, "to": task}
            for task, needs in tasks.items()
            for need in needs
        ],
        "metadata": {"task_count": len(tasks), "has_cycles": False},
        "nodes": [{"data": {"id": task, "metadata": {}}, "id": task} for task in tasks],
    }
    return json.dumps({**graph, **changed}, separators=(",", ":"))


def add_descriptor(
    elf: Elf,
    abi: int = 200,
    *,
    slots: tuple[int, ...] = (0, 1, 2, 3),
    count: int = 4,
    wire: int = 1,
    name: str = "CloacinaPackagePlugin",
    interface: str = "CloacinaPlugin",
    size: int | None = None,
    capabilities: int = 31,
) -> None:
    """Put a descriptor of the fidius ``abi``, and what it points to."""
    function = elf.code()
    vtable = elf.data(*(function if slot in slots else 0 for slot in range(count)))
    sizes = {2: 80, 200: 104, 500: 120}
    size = sizes.get(abi, 128) if size is None else size
    head = struct.pack("<II", 2, 0) if abi == 2 else struct.pack("<II", size, abi)
    last = [wire | 1 << 8 if abi == 2 else 1, elf.text(name), vtable, function, count]
    words = [elf.text(interface), HASH, 2, capabilities, *last]
    elf.data(head, *words, *[0] * max(0, (size - 8 - 8 * len(words)) // 8))


def add_entry(
    elf: Elf,
    graph: str,
    *,
    name: str = "etl",
    description: str = "Loads",
    author: str = "A. Author",
    fingerprint: str = FINGERPRINT,
) -> None:
    """Put the entry of a workflow as release 0.6 and later do."""
    words: list[int] = []
    for text in (name, description, author, fingerprint, graph):
        words += [Pointer(elf.ro(text.encode())) if text else 1, len(text.encode())]
    elf.data(*words, elf.code())


def fidius_library(abi: int = 200, *, with_entry: bool = True, elf: Elf | None = None) -> Elf:
    """Return a library with a plugin of the fidius ``abi`` and the workflow ``etl``."""
    elf = elf or Elf()
    elf.exports["fidius_get_registry"] = elf.code()
    add_descriptor(elf, abi)
    if with_entry:
        add_entry(elf, graph_json())
    else:
        elf.ro(graph_json().encode())
    return elf


def raw_library(
    layout: str,
    tasks: dict[str, tuple[str, ...]] = ETL,
    *,
    elf: Elf | None = None,
    graph: str | None = None,
    count: int | None = None,
    before: bytes = b"",
    description: str = "Loads",
) -> Elf:
    """Return a library of the C ABI ``0.2`` or ``0.3`` with the workflow ``etl``."""
    elf = elf or Elf()
    rows: list[int] = []
    for index, (task, needs) in enumerate(tasks.items()):
        texts = (task, f"{{tenant}}::p::etl::{task}", json.dumps(needs), "", "src/lib.rs")
        rows += [index, *map(elf.text, texts)]
    table = elf.data(*rows)
    text = elf.text(graph_json(tasks) if graph is None else graph)
    head = [len(tasks) if count is None else count, table, elf.text("etl-package")]
    if layout == "0.3":
        head += map(elf.text, (description, "A. Author", FINGERPRINT))
    collection = elf.data(len(tasks), table, elf.text("etl"), elf.text("etl-package"))
    elf.exports.update(
        cloacina_get_task_metadata=elf.returning(elf.data(*head, text), before),
        get_task_metadata=elf.returning(collection, before),
        cloacina_execute_task=elf.code(),
    )
    return elf
