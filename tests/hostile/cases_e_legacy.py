"""Row E for gzip and bzip2: `manifest.json` and `package.toml` that are none, or lie."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from tests.hostile.case import Case, slug
from tests.hostile.legacy_case import files_of, legacy_case, package_of
from tests.support import archives, json_texts
from tests.support.archives import PACKAGE_TOML, SOURCE, pretty
from tests.support.legacy import library, v1, v1_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MANIFEST = ("M012", "A003", "A021", "L", "A011", "G")
TOML = ("P015", "M012", "A021")
# What is another spelling to a canonical reader is JSON all the same.
JSON_ALL_THE_SAME = frozenset(
    {"no-newline", "two-newlines", "crlf", "space-first", "newline-first", "space-after-colon",
     "space-after-comma", "tab-inside", "escaped-key", "trailing-brace"}
)  # fmt: skip
VALUES_THAT_ARE_JSON = frozenset(
    {"escape-slash", "escape-letter", "escape-upper-hex", "escape-long-newline", "escape-delete",
     "surrogate-pair"}
)  # fmt: skip


def v1_texts() -> Iterator[Case]:
    """E1 to E7: what is no JSON, or one that no release could read."""
    for name, raw in json_texts.DOCUMENTS.items():
        yield _v1(f"E1-v1-{slug(name)}", lambda raw=raw: v1(raw))
    good = pretty(v1_manifest())
    for name, raw in json_texts.spoiled(good).items():
        if name not in JSON_ALL_THE_SAME and raw != good:
            yield _v1(f"E3-v1-{slug(name)}", lambda raw=raw: v1(raw))
    for name, raw in json_texts.VALUES.items():
        if name in VALUES_THAT_ARE_JSON:
            continue
        spelled = good.replace(b'"1.0.0"', raw, 1)
        row = "E6" if name.startswith("deep") else "E5"
        yield _v1(f"{row}-v1-{slug(name)}", lambda raw=spelled: v1(raw))
    double = {
        "top": (b'"package"', b'"package": {}, "package"'),
        "nested": (b'"name"', b'"name": "x", "name"'),
        "escaped": (b'"name"', b'"n\\u0061me": "x", "name"'),
        "task": (b'"id"', b'"id": "x", "id"'),
    }
    for name, (old, new) in double.items():
        raw = good.replace(old, new, 1)
        yield _v1(f"E4-v1-{name}", lambda raw=raw: v1(raw), codes=("M012",))
    large = {
        "E6-v1-open-500000": b"[" * 500_000,
        "E6-v1-100000": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        "E7-v1-2-mib-of-spaces": b" " * (2 << 20) + good,
        "E7-v1-300000-keys": b"{" + b",".join(b'"%d":1' % n for n in range(80_000)) + b"}",
    }
    for name, raw in large.items():
        yield _v1(name, lambda raw=raw: v1(raw), seconds=2.0)


def _v1(case_id: str, build: Callable[[], bytes], **options: Any) -> Case:
    return legacy_case(case_id, "gz", "a manifest", build, **{"codes": MANIFEST, **options})


def _walk(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from _walk(inner, (*path, key))
    elif isinstance(value, list) and value:
        yield from _walk(value[0], (*path, 0))


def _put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    made = copy.deepcopy(document)
    place = made
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return made


WRONG: dict[str, Any] = {"number": 7, "boolean": True, "list": [1], "object": {"a": 1}}
OPTIONAL = {"execution_order", "index", "graph", "description", "source_location", "dependencies"}


def v1_fields() -> Iterator[Case]:
    """E8, E9: each field with every wrong type; unknown fields are taken."""
    good = archives.v1_manifest()
    for path in _walk(good):
        name = "-".join(map(str, path))
        for kind, value in WRONG.items():
            if path[-1] == "index" and kind == "number":
                continue
            bad = _put(good, path, value)
            if isinstance(value, list) and isinstance(_get(good, path), list) and value == []:
                continue
            yield _v1(f"E9-v1-{slug(name)}-{kind}", lambda bad=bad: v1(bad))
        if path[-1] not in OPTIONAL:
            bad = _put(good, path, None)
            yield _v1(f"E9-v1-{slug(name)}-null", lambda bad=bad: v1(bad))
    for key in ("x", "__proto__", "signature", "policy", "trusted"):
        made = {**v1_manifest(), key: "x"}
        yield legacy_case(
            f"E8-v1-{slug(key)}", "gz", "unknown", lambda m=made: v1(m), expected="accept"
        )


def _get(document: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        document = document[step]
    return document


def v1_claims() -> Iterator[Case]:
    """E13 to E17: a manifest that lies about its library, tasks that wait for each other."""
    names = ("../libdemo.so", "/usr/lib/libc.so.6", "", "manifest.json", "LIBDEMO.SO", "a/b.so")
    for name in names:
        made = v1_manifest()
        made["library"] = {**made["library"], "filename": name}
        yield _v1(f"E13-v1-{slug(name)}-{len(name)}", lambda m=made: v1(m))
    lies = {
        "E14-v1-architecture": ("library", "architecture", "aarch64-apple-darwin", ("B004",)),
        "E14-v1-machine": ("library", "architecture", "aarch64", ("B004",)),
    }
    for case_id, (table, key, value, codes) in lies.items():
        made = v1_manifest()
        made[table] = {**made[table], key: value}
        yield legacy_case(
            case_id, "gz", "a lie", lambda m=made: v1(m), expected="any",
            verdicts={"validate": "refuse"}, codes=codes,
        )  # fmt: skip
    graphs = {
        "E16-v1-cycle": {"a": ["b"], "b": ["a"]},
        "E16-v1-self": {"a": ["a"]},
        "E16-v1-unknown": {"a": ["b"]},
        "E16-v1-other-tasks": {"a": []},
        "E17-v1-chain": {f"t{n}": [f"t{n - 1}"] if n else [] for n in range(2000)},
    }
    for case_id, tasks in graphs.items():
        made = {**v1_manifest(), "tasks": [{"id": t, "dependencies": n} for t, n in tasks.items()]}
        yield legacy_case(
            case_id, "gz", "tasks", lambda m=made: v1(m), expected="any",
            verdicts={"validate": "refuse"}, codes=("G", "M017"),
        )  # fmt: skip
    for name, data in {
        "text": b"text\n",
        "zeros": bytes(4096),
        "empty": b"",
        "cut": library()[:900],
    }.items():
        yield legacy_case(
            f"E13-v1-library-{name}", "gz", "no library", lambda d=data: v1(None, d),
            expected="any", verdicts={"validate": "refuse"}, codes=("B",),
        )  # fmt: skip
    for number, version in enumerate((1, 2, 3, "3", "", [], "2.0")):
        made = {**v1_manifest(), "format_version": version}
        yield _v1(f"E25-v1-{number}", lambda m=made: v1(m))


def _source(case_id: str, text: bytes, **options: Any) -> Case:
    files = {**SOURCE, "package.toml": text}
    options = {"codes": TOML, **options}
    return legacy_case(case_id, "bz2", "a manifest", lambda: package_of("bz2", files), **options)


def toml_texts() -> Iterator[Case]:
    """E1, E2, E22, E23: what is no TOML, or one that takes a parser minutes."""
    bad = {
        "E1-empty": b"", "E1-text": b"not toml", "E1-json": b'{"package": {}}',
        "E1-binary": bytes(64),
        "E1-cut": PACKAGE_TOML[:70], "E2-bom": b"\xef\xbb\xbf" + PACKAGE_TOML,
        "E2-utf-16": PACKAGE_TOML.decode().encode("utf-16"),
        "E2-latin-1": b"# \xe9\n" + PACKAGE_TOML,
        "E22-key-twice": PACKAGE_TOML + b'language = "rust"\n',
        "E22-table-twice": PACKAGE_TOML + b"[package]\n",
        "E22-dotted": PACKAGE_TOML + b'language.x = "rust"\n',
        "E22-bare-return": b"a = 1\rb = 2\n" + PACKAGE_TOML,
        "E22-control": b'a = "\x01"\n' + PACKAGE_TOML, "E22-escape": b'a = "\\q"\n' + PACKAGE_TOML,
        "E22-date-as-name": PACKAGE_TOML.replace(b'name = "demo"', b"name = 2026-01-01", 1),
        "E22-array-of-tables": PACKAGE_TOML.replace(b"[package]", b"[[package]]"),
        "E23-list": b"a = " + b"[" * 50_000 + b"]" * 50_000 + b"\n" + PACKAGE_TOML,
        "E23-inline": b"a = " + b"{a=" * 50_000 + b"1" + b"}" * 50_000 + b"\n",
        "E23-dotted": b".".join([b"a"] * 100_000) + b" = 1\n",
        "E23-digits": b"a = " + b"1" * 900_000 + b"\n",
        "E23-tables": b"".join(b"[a%d.%s]\n" % (n, b".".join([b"b"] * 32)) for n in range(10_000)),
    }  # fmt: skip
    for case_id, text in bad.items():
        seconds = {"seconds": 1.0} if case_id.startswith("E23") else {}
        yield _source(case_id, text, **seconds)
    yield _source("E7-2-mib", b"#" * (2 << 20), codes=("L",))
    without = {path: data for path, data in SOURCE.items() if path != "package.toml"}
    yield legacy_case(
        "E1-missing", "bz2", "no manifest", lambda: package_of("bz2", without), codes=("A021",)
    )
    flat = {path: data for path, data in files_of("gz").items() if path != "manifest.json"}
    yield legacy_case(
        "E1-missing", "gz", "no manifest", lambda: package_of("gz", flat), codes=("A021",)
    )


def toml_fields() -> Iterator[Case]:
    """E9, E10, E24: fields of the wrong type, modules that are none, languages that are none."""
    fields = {
        b'name = "demo"': "name", b'version = "1.0.0"': "version",
        b"interface_version = 1": "interface",
        b'language = "python"': "language", b'author = "Ada"': "author",
        b'entry_module = "demo.tasks"': "entry",
    }  # fmt: skip
    for line, name in fields.items():
        key = line.partition(b" ")[0]
        for value in (b"7", b"true", b"[1]", b"{a = 1}", b"1979-05-27"):
            if key == b"interface_version" and value == b"7":
                continue
            text = PACKAGE_TOML.replace(line, key + b" = " + value, 1)
            yield _source(f"E9-{name}-{slug(value.decode())}", text, codes=("M012",))
    for name in (b"name", b"version"):
        text = b"\n".join(ln for ln in PACKAGE_TOML.split(b"\n") if not ln.startswith(name + b" "))
        yield _source(f"E9-{name.decode()}-missing", text, codes=("M012",))
    modules = ("../evil", "/etc/passwd", "demo/tasks", "demo.tasks:main", "os; x", "", ".", "a..b",
               "x" * 300, "a\\nb")  # fmt: skip
    for number, module in enumerate(modules):
        text = PACKAGE_TOML.replace(b"demo.tasks", module.encode(), 1)
        yield _source(f"E24-module-{number}", text, codes=("M012",))
    checked = {
        "E24-absent": (b'"demo.tasks"', b'"demo.absent"', ("M011",)),
        "E24-dunder": (b'"demo.tasks"', b'"__main__"', ("M011",)),
        "E24-language": (b'"python"', b'"ruby"', ("M016",)),
        "E24-upper": (b'"python"', b'"Python"', ("M016",)),
    }
    for case_id, (old, new, codes) in checked.items():
        yield _source(
            case_id, PACKAGE_TOML.replace(old, new, 1), expected="any",
            verdicts={"validate": "refuse"}, codes=codes,
        )  # fmt: skip
    hostile = {
        "E10-ansi": "\\u001b[2J\\u001b]0;owned\\u0007", "E10-forged": "a\\nSignature: VALID",
        "E10-traversal": "../../evil", "E15-long": "x" * 50_000, "E11-redos": "a" * 50_000 + "!",
        "E10-bidi": "a\\u202egpj", "E12-version": "1.0.0/../../x",
    }  # fmt: skip
    for case_id, value in hostile.items():
        for key in ("name", "version", "description"):
            line = next(
                ln for ln in PACKAGE_TOML.split(b"\n") if ln.startswith(key.encode() + b" ")
            )
            text = PACKAGE_TOML.replace(line, f'{key} = "{value}"'.encode(), 1)
            yield _source(f"{case_id}-{key}", text, expected="any", seconds=1.0)


def v2_claims() -> Iterator[Case]:
    """E16, E18: what a manifest of format 2 says against its modules."""
    other = archives.v2_manifest(tasks=[{"id": "x", "function": "demo.tasks:x"}])
    files = {**files_of("gz"), "manifest.json": pretty(other)}
    yield legacy_case(
        "E16-v2-other-tasks", "gz", "a lie", lambda: package_of("gz", files), expected="any",
        verdicts={"validate": "refuse"}, codes=("Y014",),
    )  # fmt: skip
    bad = archives.v2_manifest(language="ruby")
    worse = {**files_of("gz"), "manifest.json": pretty(bad)}
    yield legacy_case(
        "E24-v2-language", "gz", "no language", lambda: package_of("gz", worse), codes=("M012",)
    )


def cases() -> Iterator[Case]:
    """Every case of the row."""
    yield from v1_texts()
    yield from v1_fields()
    yield from v1_claims()
    yield from toml_texts()
    yield from toml_fields()
    yield from v2_claims()
