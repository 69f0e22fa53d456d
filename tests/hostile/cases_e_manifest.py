"""Row E: the manifest, and the two tables beside it as JSON texts."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from tests.hostile import json_texts
from tests.hostile.builder import FILES, File, Json, Recipe, build, plain_manifest
from tests.hostile.case import Case, of, slug
from tests.hostile.full_manifest import FULL_FILES, full_manifest

MANIFEST = ("A008", "A014", "A015", "G", "L", "M", "A003")


def of_manifest(case_id: str, what: str, patch: Callable[[Json], Any], **options: Any) -> Case:
    """Return a case whose manifest was changed and is canonical all the same."""
    options = {"reach": "head", "codes": MANIFEST, **options}
    return of(case_id, what, manifest_patch=patch, **options)


def of_bytes(case_id: str, what: str, patch: Callable[[bytes], bytes], **options: Any) -> Case:
    """Return a case whose manifest's bytes were changed."""
    options = {"reach": "head", "codes": MANIFEST, **options}
    return of(case_id, what, manifest_bytes=patch, **options)


def with_value(raw: bytes) -> Callable[[bytes], bytes]:
    """Return a change that puts raw JSON in place of the language."""
    return lambda good: good.replace(b'"language":"python"', b'"language":' + raw)


def texts() -> Iterator[Case]:
    """E1 to E6, E26: what is not canonical JSON."""
    for name, raw in json_texts.DOCUMENTS.items():
        yield of_bytes(f"E1-{name}", "not a manifest", lambda good, raw=raw: raw)
    good = b'{"a":1,"format_version":3}\n'
    for name in json_texts.spoiled(good):
        row = "E2" if name.startswith(("utf", "bom", "nul", "invalid")) else "E3"
        yield of_bytes(
            f"{row}-{name}", "another form", lambda good, n=name: json_texts.spoiled(good)[n]
        )
    yield of_bytes("E2-latin-1", "Latin-1", lambda g: g[:-2] + b',"z":"\xe9"}\n')
    for name, raw in json_texts.VALUES.items():
        row = "E6" if name.startswith("deep") else "E5" if raw[:1] in b"-+.0123456789NI" else "E26"
        yield of_bytes(f"{row}-value-{name}", "a value that is none", with_value(raw))

        def as_count(old: bytes, raw: bytes = raw) -> bytes:
            return old.replace(b'"files":3', b'"files":' + raw, 1)

        yield of_bytes(f"{row}-count-{name}", "a number that is none", as_count)


def duplicates() -> Iterator[Case]:
    """E4: keys that stand twice."""
    double = {
        "top": (b"{", b'{"language":"python",'),
        "top-equal": (b'"language":"python"', b'"language":"python","language":"python"'),
        "nested": (b'"name":"demo",', b'"name":"demo","name":"demo",'),
        "escaped": (b'"language":"python"', b'"lang\\u0075age":"rust","language":"python"'),
        "by-case": (b'"language":"python"', b'"Language":"rust","language":"python"'),
        "thousand": (b"{", b"{" + b'"language":"python",' * 1000),
        "format-version": (b'"format_version":3', b'"format_version":3,"format_version":4'),
    }
    for name, (old, new) in double.items():
        yield of_bytes(f"E4-{name}", "a key twice", lambda g, o=old, n=new: g.replace(o, n, 1))


def sizes() -> Iterator[Case]:
    """E6, E7: deep, wide and large."""
    large = {"codes": ("L", *MANIFEST), "heavy": True, "slow": True}
    for depth in (17, 1000, 100_000):
        for name, pair in {"list": (b"[", b"]"), "object": (b'{"a":', b"}")}.items():
            raw = pair[0] * depth + b"1" + pair[1] * depth
            yield of_bytes(f"E6-{name}-{depth}", "nested too deep", with_value(raw))
    yield of_bytes("E6-open-5000000", "five million brackets", lambda g: b"[" * 5_000_000, **large)
    yield of_bytes("E7-64-mib-of-spaces", "spaces", lambda g: b" " * (64 << 20), **large)
    yield of_bytes("E7-15-mib-of-spaces", "spaces", lambda g: b" " * (15 << 20) + g, **large)
    text = b'"' + b"x" * (17 << 20) + b'"'
    yield of_bytes("E7-string-17-mib", "a long string", with_value(text), **large)
    keys = b",".join(b'"k%07d":1' % n for n in range(1_000_000))
    yield of_bytes("E7-million-keys", "keys", lambda g: b"{" + keys + b"}\n", **large)
    yield of_bytes("E7-commas", "commas", lambda g: b"[" + b"1," * 5_000_000 + b"1]\n", **large)


def unknown() -> Iterator[Case]:
    """E8: fields that the format does not have."""
    keys = ("x", "unsafe", "signed", "trusted", "policy", "__proto__", "constructor", "__class__",
            "$ref", "Package", "format_version ", "signature", "built_at", "capabilities", "")  # fmt: skip
    for key in keys:
        yield of_manifest(
            f"E8-{slug(key) if key else 'empty'}",
            "an unknown field",
            lambda m, k=key: m.update({k: "x"}),
        )
    places: dict[str, Callable[[Json], Json]] = {
        "package": lambda m: m["package"],
        "contents": lambda m: m["contents"],
        "workflow": lambda m: m["workflows"][0],
        "task": lambda m: m["workflows"][0]["tasks"][0],
    }
    for name, place in places.items():
        yield of_manifest(f"E8-in-{name}", "an unknown field", lambda m, p=place: p(m).update(x=1))


def walk(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every field of a document, those of one element of each list."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from walk(inner, (*path, key))
    elif isinstance(value, list) and value:
        yield (*path, 0)
        yield from walk(value[0], (*path, 0))


def put(document: Json, path: tuple[Any, ...], value: Any) -> Json:
    """Return the document with one field replaced, or left out for Ellipsis."""
    changed = copy.deepcopy(document)
    at: Any = changed
    for key in path[:-1]:
        at = at[key]
    if value is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return changed


def look(document: Json, path: tuple[Any, ...]) -> Any:
    """Return one field."""
    at: Any = document
    for key in path:
        at = at[key]
    return at


# Lists that must be there and may be empty.
MAY_BE_EMPTY = {"dependencies", "needed", "tasks", "accumulators"}
REQUIRED = {
    "format_version", "package", "name", "version", "language", "contents", "files", "sha256",
    "size", "tasks", "id", "dependencies", "attempts", "backoff", "delay_ms", "max_delay_ms",
    "jitter", "condition", "kind", "reaction_mode", "input_strategy", "accumulators", "type",
    "from", "to", "platform", "path", "machine", "os", "floor", "rustc", "profile", "target",
}  # fmt: skip
# `version` and `abi` of an interface are optional, whatever other `version` there is.
OPTIONAL_PATHS = {("artifacts", 0, "interface", "version")}


def wrong_values(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return values of other types for a field, and bad ones of its own."""
    others: dict[str, Any] = {
        "null": None, "int": 7, "bool": True, "list": ["x"], "object": {"x": "y"}, "string": "x",
        "float": 1.5, "empty-string": "", "empty-list": [], "empty-object": {}, "minus-1": -1,
    }  # fmt: skip
    own = {
        bool: {"bool"},
        int: {"int"},
        str: {"string"},
        list: {"empty-list"} if path[-1] in MAY_BE_EMPTY else set(),
        dict: {"empty-object"} if path[-1] == "built_with" else set(),
    }[type(value)]
    if isinstance(value, list) and value and isinstance(value[0], str):
        own = own | {"list"}
    if path[-1] == "config":
        own = own | {"object"}
    if path[-1] == "default":
        own = own | {"empty-string"}
    if path[-2:-1] == ("interface",):
        own = own | {"int", "string"}
    made = {name: wrong for name, wrong in others.items() if name not in own}
    required = path[-1] in REQUIRED and path not in OPTIONAL_PATHS
    if required and not isinstance(path[-1], int):
        made["missing"] = ...
    return made


def each_field() -> Iterator[Case]:
    """E9: every field of a full manifest, with every wrong type."""
    document = build_full()
    recipe = Recipe(files=FULL_FILES, manifest=full_manifest())
    for path in walk(document):
        for name, wrong in wrong_values(path, look(document, path)).items():
            if path[:2] == ("contents",) and name == "int":
                continue
            where = slug("-".join(str(part) for part in path))
            yield of_manifest(
                f"E9-{where}.{name}",
                f"{'/'.join(str(part) for part in path)} is {name}",
                lambda m, p=path, w=wrong: put(m, p, w),
                recipe=recipe,
            )


def build_full() -> Json:
    """Return the full manifest with what the recipe adds."""
    from tests.hostile.builder import files_json, manifest_json

    recipe = Recipe(files=FULL_FILES, manifest=full_manifest())
    made: Json = json.loads(manifest_json(recipe, files_json(recipe)))
    return made


NAMES = {
    "empty": "", "dots": "..", "dot": ".", "slash": "a/b", "traversal": "../../evil",
    "absolute": "/etc/x", "backslash": "a\\b", "nul": "a\0b", "newline": "demo\n", "space": "a b",
    "ansi": "\x1b[2J", "bidi": "a\u202eb", "zero-width": "a\u200bb", "homoglyph": "d\u0435mo",
    "con": "CON", "nul-device": "nul", "com1": "com1", "lpt9": "LPT9", "long": "a" * 65, "5000": "a" * 5000,
    "markup": "[red]x", "html": "<b>", "dash-first": "-demo", "dash-last": "demo-",
    "underscore-first": "_demo", "dot-inside": "de.mo", "tilde": "~demo", "percent": "%2e",
    "full-width": "\uff44emo", "accent": "d\xe9mo", "redos": "a" + "-" * 50_000, "plus": "a+b",
    "shell": "$(reboot)", "option": "--help", "arabic-digit": "a\u0663",
}  # fmt: skip
VERSIONS = {
    "empty": "", "words": "latest", "traversal": "1.0.0/../../evil", "slash": "1/0", "newline": "1.0.0\n",
    "space": "1.0.0 ", "ansi": "1.0.0\x1b[2J", "v": "v1.0.0", "arabic-digits": "1.0.\u0663",
    "100000-digits": "1" * 100_000, "65-characters": "1." + "0" * 63, "leading-zero": "01.0.0",
    "star": "1.*", "nul": "1.0\0", "dots": "..", "redos": "1." * 25_000 + "x", "epoch-bang": "!1.0",
    "not-normal": "1.0.0-alpha1", "not-normal-upper": "1.0RC1", "local-underscore": "1.0+a_b",
    "trailing-dot": "1.0.", "minus": "-1.0.0", "comma": "1,0", "bidi": "1.0\u202e",
}  # fmt: skip
SEMVER = {
    "two-numbers": "1.0", "four-numbers": "1.0.0.0", "leading-zero": "1.02.3", "pre-zero": "1.0.0-01",
    "empty-pre": "1.0.0-", "empty-build": "1.0.0+", "two-plus": "1.0.0+a+b", "pep-440": "1.0.0rc1",
    "epoch": "1!1.0.0", "empty-part": "1.0.0-a..b",
}  # fmt: skip


def names() -> Iterator[Case]:
    """E10 to E12: name and version, with the root folder that follows from them."""
    for name, value in NAMES.items():
        row = "E11" if name == "redos" else "E10"
        yield of(f"{row}-name-{name}", "a bad name", name=value, reach="head", codes=MANIFEST)
        yield of_manifest(
            f"{row}-name-alone-{name}",
            "a bad name that the folder does not have",
            lambda m, v=value: m["package"].update(name=v),
        )
    for name, value in VERSIONS.items():
        row = "E11" if name == "redos" else "E12"
        yield of(
            f"{row}-version-{name}", "a bad version", version=value, reach="head", codes=MANIFEST
        )
    rust = Recipe(files=FULL_FILES, manifest=full_manifest())
    for name, value in SEMVER.items():
        options: Any = {"recipe": rust, "reach": "head", "codes": MANIFEST}
        yield of(f"E12-semver-{name}", "no version of a crate", version=value, **options)
    for name, value in {"redos": "a" * 50_000, "redos-dots": "a." * 25_000 + "!"}.items():
        yield of_manifest(
            f"E11-{name}-entry-module", "a long module", lambda m, v=value: m.update(entry_module=v)
        )


LIBRARIES = {
    "traversal": "platform/manylinux_2_17_x86_64/../../../evil.so", "absolute": "/usr/lib/libc.so.6",
    "missing": "platform/manylinux_2_17_x86_64/absent.so", "other-platform": "platform/other/libdemo.so",
    "alias": "platform/manylinux_2_17_x86_64/./libdemo.so", "url": "https://evil/libdemo.so",
    "case": "platform/manylinux_2_17_x86_64/LIBDEMO.SO", "basename": "libdemo.so",
    "common": "package.toml", "nul": "platform/manylinux_2_17_x86_64/libdemo.so\0", "empty": "",
    "manifest": "manifest.json", "folder": "platform/manylinux_2_17_x86_64",
}  # fmt: skip
PLATFORMS = {
    "upper": "LINUX", "space": "linux x86", "traversal": "../..", "common": "common", "any": "any",
    "source": "source", "end": "end", "head": "head", "empty": "", "long": "a" * 65, "dash": "a-b",
    "dot-first": ".x", "slash": "a/b", "newline": "linux\n", "other": "musllinux_1_2_x86_64",
}  # fmt: skip


def artifacts() -> Iterator[Case]:
    """E13, E14: the library and its platform."""
    rust = Recipe(files=FULL_FILES, manifest=full_manifest())
    for name, value in LIBRARIES.items():
        absent = name in {"missing", "case"}
        yield of_manifest(
            f"E13-{name}",
            "an artifact that is no member",
            lambda m, v=value: m["artifacts"][0].update(path=v),
            recipe=rust,
            reach="payload" if absent else "head",
        )
    for name, value in PLATFORMS.items():
        yield of_manifest(
            f"E14-{name}",
            "a platform that is no tag, or not that of the path",
            lambda m, v=value: m["artifacts"][0].update(platform=v),
            recipe=rust,
        )
    yield of_manifest(
        "E14-twice",
        "one platform twice",
        lambda m: m["artifacts"].append(m["artifacts"][0]),
        recipe=rust,
    )


DESCRIPTIONS = {
    "ansi": "\x1b[2J\x1b[1;1Hx", "forged-line": "x\nSignature: VALID", "zalgo": "z" + "\u0335" * 500,
    "markup": "[bold]x[/nothing]", "html": "<script>", "bidi": "a\u202eb", "c1": "a\x9bb", "long": "x" * 4096,
}  # fmt: skip


def descriptions() -> Iterator[Case]:
    """E15: text for people."""
    for name, value in DESCRIPTIONS.items():
        yield of_manifest(
            f"E15-{name}", "a hostile text", lambda m, v=value: m["package"].update(description=v),
            expected="any",
        )  # fmt: skip
    for name, value in {"4097": "x" * 4097, "1-mib": "x" * (1 << 20)}.items():
        yield of_manifest(
            f"E15-{name}", "a long text", lambda m, v=value: m["package"].update(description=v)
        )


def _tasks(*tasks: tuple[str, list[str]]) -> Callable[[Json], None]:
    made = [{"dependencies": needs, "id": name} for name, needs in tasks]
    return lambda m: m["workflows"][0].update(tasks=made)


def graphs() -> Iterator[Case]:
    """E16, E17: tasks."""
    bad = {
        "cycle-2": _tasks(("a", ["b"]), ("b", ["a"])),
        "cycle-3": _tasks(("a", ["b"]), ("b", ["c"]), ("c", ["a"])),
        "cycle-behind-a-tail": _tasks(("a", ["b"]), ("b", ["c"]), ("c", ["b"])),
        "self": _tasks(("a", ["a"])),
        "unknown": _tasks(("a", ["z"])),
        "duplicate-id": _tasks(("a", []), ("a", [])),
        "duplicate-dependency": _tasks(("a", []), ("b", ["a", "a"])),
        "empty-id": _tasks(("", [])),
        "empty-dependency": _tasks(("a", [""])),
        "unsorted-tasks": _tasks(("b", []), ("a", [])),
        "unsorted-dependencies": _tasks(("a", []), ("b", []), ("c", ["b", "a"])),
        "id-nfd": _tasks(("cafe\u0301", [])),
        "case-is-another": _tasks(("a", []), ("b", ["A"])),
    }
    for name, patch in bad.items():
        yield of_manifest(f"E16-{name}", "a graph that cannot run", patch)
    inert = {
        "dot": 'a"]; b [label="x',
        "mermaid": "a-->b; click a evil",
        "markup": "[red]x",
        "quote": "'\"`",
    }
    for name, text in inert.items():
        yield of_manifest(
            f"E16-injection-{name}", "an id for a drawing", _tasks((text, [])), expected="any"
        )
    chain = [(f"t{n:06}", [f"t{n - 1:06}"] if n else []) for n in range(5000)]
    yield of_manifest("E17-chain-5000", "a long chain", _tasks(*chain), expected="accept")
    dense = [(f"t{n:03}", [f"t{k:03}" for k in range(n)]) for n in range(300)]
    yield of_manifest("E17-dense-300", "all depend on all", _tasks(*dense), expected="accept")
    late: dict[str, Any] = {"slow": True, "heavy": True}
    ring = [(f"t{n:06}", [f"t{(n - 1) % 99_000:06}"]) for n in range(99_000)]
    yield of_manifest("E16-cycle-99000", "a long cycle", _tasks(*ring), seconds=10, **late)
    many = [(f"t{n:06}", []) for n in range(100_001)]
    yield of_manifest(
        "E17-100001-tasks", "a task over the limit", _tasks(*many), seconds=10, **late
    )
    line = [(f"t{n:06}", [f"t{n - 1:06}"] if n else []) for n in range(99_000)]
    yield of_manifest(
        "E17-chain-99000", "a long chain", _tasks(*line), expected="accept", seconds=20, **late
    )


DIGESTS = {
    "nibble": lambda d: ("0" if d[0] != "0" else "1") + d[1:], "zeros": lambda d: "0" * 64,
    "short": lambda d: d[:-1], "long": lambda d: d + "0", "upper": lambda d: d.upper() if d.upper() != d else "A" * 64,
    "empty": lambda d: "", "null": lambda d: None, "prefix": lambda d: "sha256:" + d, "md5": lambda d: d[:32],
    "none": lambda d: "none", "digits": lambda d: "\u0661" * 64, "space": lambda d: d + " ", "newline": lambda d: d + "\n",
    "int": lambda d: 0, "list": lambda d: [d], "missing": lambda d: ...,
}  # fmt: skip
SIZES = {
    "one-more": lambda n: n + 1, "zero": lambda n: 0, "negative": lambda n: -1, "bool": lambda n: True,
    "float": float, "string": str, "2-53": lambda n: 1 << 53, "2-64": lambda n: 1 << 64, "null": lambda n: None,
    "missing": lambda n: ...,
}  # fmt: skip


def _change(
    place: Callable[[Json], Json], key: str, to: Callable[[Any], Any]
) -> Callable[[Json], None]:
    def patch(document: Json) -> None:
        at = place(document)
        value = to(at[key])
        if value is ...:
            del at[key]
        else:
            at[key] = value

    return patch


def digests() -> Iterator[Case]:
    """E18, E19: digests and sizes of the contents, of a file, of a frame."""
    contents: Callable[[Json], Json] = lambda m: m["contents"]  # noqa: E731
    file: Callable[[Json], Json] = lambda t: t["files"][2]  # noqa: E731
    frame: Callable[[Json], Json] = lambda i: i["frames"][0]  # noqa: E731
    for name, to in DIGESTS.items():
        what = "a digest that is not the one"
        yield of_manifest(
            f"E18-contents-{name}", what, _change(contents, "sha256", to), reach="payload"
        )
        yield of(f"E18-file-{name}", what, files_patch=_change(file, "sha256", to))
        yield of(f"E18-frame-{name}", what, index_patch=_change(frame, "sha256", to))
    for name, to in SIZES.items():
        what = "a size that is not the one"
        yield of_manifest(
            f"E19-contents-size-{name}", what, _change(contents, "size", to), reach="payload"
        )
        yield of_manifest(
            f"E19-contents-files-{name}", what, _change(contents, "files", to), reach="payload"
        )
        yield of(f"E19-file-{name}", what, files_patch=_change(file, "size", to))
        yield of(f"E19-frame-{name}", what, index_patch=_change(frame, "size", to), reach="head")
        yield of(f"E19-frame-content-{name}", what, index_patch=_change(frame, "content_size", to))

    def swapped(table: Json) -> None:
        one, two = table["files"][0], table["files"][2]
        one["sha256"], two["sha256"] = two["sha256"], one["sha256"]

    yield of("E18-swapped", "two digests swapped", files_patch=swapped)


def listings() -> Iterator[Case]:
    """E20: what is listed against what is there."""

    def only(change: Callable[[list[Json]], Any]) -> Callable[[Json], None]:
        return lambda table: change(table["files"])

    extra = {"path": "workflow/z.py", "sha256": "0" * 64, "size": 0}
    made = {
        "listed-but-absent": only(lambda f: f.append(extra)),
        "present-but-unlisted": only(lambda f: f.pop()),
        "first-unlisted": only(lambda f: f.pop(0)),
        "listed-twice": only(lambda f: f.append(f[-1])),
        "unsorted": only(lambda f: f.reverse()),
        "none-listed": only(lambda f: f.clear()),
        "lists-the-manifest": only(lambda f: f.append({**extra, "path": "manifest.json"})),
        "case-path": only(lambda f: f[2].update(path="workflow/demo/Tasks.py")),
        "alias-path": only(lambda f: f[2].update(path="./workflow/demo/tasks.py")),
        "absolute-path": only(lambda f: f[2].update(path="/workflow/demo/tasks.py")),
    }
    for name, patch in made.items():
        yield of(f"E20-{name}", "files.json is not what is there", files_patch=patch)
    backwards = tuple(reversed(FILES))
    yield of("E20-consistent-but-unsorted", "another order everywhere", files=backwards, sort=False)


def languages() -> Iterator[Case]:
    """E24, E25: the entry module, the language, the format version."""
    modules = {
        "traversal": "../../evil", "slash": "demo/tasks", "dunder": "demo.__class__.x", "code": "os;reboot",
        "missing": "demo.absent", "empty-part": "demo..tasks", "dot-first": ".demo", "dot-last": "demo.",
        "digit-first": "demo.1x", "keyword": "demo.class", "file": "demo.tasks.py", "newline": "demo.tasks\n",
        "space": "demo. tasks", "call": "demo:main", "standard-library": "os",
        "with-workflow": "workflow.demo.tasks",
    }  # fmt: skip
    for name, value in modules.items():
        there = name in {"missing", "file", "standard-library", "with-workflow", "dunder"}
        yield of_manifest(
            f"E24-entry-{name}", "no entry module", lambda m, v=value: m.update(entry_module=v),
            reach="payload" if there else "head",
        )  # fmt: skip
    for name, value in {
        "unknown": "cobol",
        "upper": "Python",
        "both": "rust,python",
        "space": "python ",
    }.items():
        yield of_manifest(
            f"E24-language-{name}", "no language", lambda m, v=value: m.update(language=v)
        )
    for value in (4, 5, 99, 2**31, 2**53 - 1):
        yield of_manifest(
            f"E25-newer-{value}", "a newer manifest", lambda m, v=value: m.update(format_version=v),
            codes=("A003", "M002"),
        )  # fmt: skip
    yield of_manifest(
        "E25-newer-with-unknown-fields", "a newer manifest, not a parse error",
        lambda m: {"format_version": 4, "what": [{"nobody": "knows"}]}, codes=("A003", "M002"),
    )  # fmt: skip
    for name, value in {
        "2": 2,
        "1": 1,
        "0": 0,
        "minus-3": -3,
        "string": "3",
        "bool": True,
        "float": 3.0,
    }.items():
        yield of_manifest(
            f"E25-older-{name}", "another version", lambda m, v=value: m.update(format_version=v)
        )
    yield of_manifest("E25-absent", "no version", lambda m: m.pop("format_version") and None)
    yield of_manifest(
        "E16-no-workflow", "neither workflow nor graph", lambda m: m.pop("workflows") and None
    )


def floods() -> Iterator[Case]:
    """E20: very many entries."""
    many = tuple(File(f"workflow/x{n:05}") for n in range(20_000))
    table = Recipe(files=(*FILES, *many), manifest=plain_manifest())

    def lost(members: list[Json]) -> bytes:
        return build(table, files_patch=lambda t: t.update(files=t["files"][:-1]))

    yield Case(
        id="E20-20000-one-unlisted",
        what="one of many",
        build=lambda: lost([]),
        slow=True,
        seconds=6,
    )


def cases() -> Iterator[Case]:
    """Every case of row E."""
    for part in (
        texts, duplicates, sizes, unknown, each_field, names, artifacts, descriptions, graphs, digests,
        listings, languages, floods,
    ):  # fmt: skip
        yield from part()
