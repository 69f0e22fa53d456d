"""Row E, E13 to E25: what a manifest says against what it means and what is there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tests.hostile.case import Case, of
from tests.support.builder import FILES, File, Json, Recipe, build, plain_manifest
from tests.support.full_manifest import FULL_FILES, full_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
from tests.hostile.manifest_case import of_manifest

LIBRARIES = {
    "traversal": "platform/manylinux_2_17_x86_64/../../../evil.so",
    "absolute": "/usr/lib/libc.so.6",
    "missing": "platform/manylinux_2_17_x86_64/absent.so",
    "other-platform": "platform/other/libdemo.so",
    "alias": "platform/manylinux_2_17_x86_64/./libdemo.so",
    "url": "https://evil/libdemo.so",
    "case": "platform/manylinux_2_17_x86_64/LIBDEMO.SO",
    "basename": "libdemo.so",
    "common": "package.toml",
    "nul": "platform/manylinux_2_17_x86_64/libdemo.so\0",
    "empty": "",
    "manifest": "manifest.json",
    "folder": "platform/manylinux_2_17_x86_64",
}

PLATFORMS = {
    "upper": "LINUX",
    "space": "linux x86",
    "traversal": "../..",
    "common": "common",
    "any": "any",
    "source": "source",
    "end": "end",
    "head": "head",
    "empty": "",
    "long": "a" * 65,
    "dash": "a-b",
    "dot-first": ".x",
    "slash": "a/b",
    "newline": "linux\n",
    "other": "musllinux_1_2_x86_64",
}


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
    "ansi": "\x1b[2J\x1b[1;1Hx",
    "forged-line": "x\nSignature: VALID",
    "zalgo": "z" + "\u0335" * 500,
    "markup": "[bold]x[/nothing]",
    "html": "<script>",
    "bidi": "a\u202eb",
    "c1": "a\x9bb",
    "long": "x" * 4096,
}


def descriptions() -> Iterator[Case]:
    """E15: text for people."""
    for name, value in DESCRIPTIONS.items():
        yield of_manifest(
            f"E15-{name}",
            "a hostile text",
            lambda m, v=value: m["package"].update(description=v),
            expected="any",
        )
    for name, value in {"4097": "x" * 4097, "1-mib": "x" * (1 << 20)}.items():
        yield of_manifest(
            f"E15-{name}", "a long text", lambda m, v=value: m["package"].update(description=v)
        )


Tasks = Iterable[tuple[str, list[str]]]


def _tasks(*tasks: tuple[str, list[str]]) -> Callable[[Json], None]:
    return _many(lambda: tasks)


def _many(make: Callable[[], Tasks]) -> Callable[[Json], None]:
    """Tasks that are made when the case is: some of these lists are long."""
    return lambda m: m["workflows"][0].update(
        tasks=[{"dependencies": needs, "id": name} for name, needs in make()]
    )


def _chain(length: int) -> Tasks:
    return ((f"t{n:06}", [f"t{n - 1:06}"] if n else []) for n in range(length))


def _ring(length: int) -> Tasks:
    return ((f"t{n:06}", [f"t{(n - 1) % length:06}"]) for n in range(length))


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
    # Right in form; `validate` alone compares them with what the packed modules declare.
    made_up: dict[str, Any] = {
        "expected": "accept",
        "verdicts": {"validate": "refuse"},
        "codes": ("Y014",),
    }
    yield of_manifest("E17-chain-5000", "a long chain", _many(lambda: _chain(5000)), **made_up)
    dense = _many(lambda: ((f"t{n:03}", [f"t{k:03}" for k in range(n)]) for n in range(300)))
    yield of_manifest("E17-dense-300", "all depend on all", dense, **made_up)
    late: dict[str, Any] = {"slow": True, "heavy": True}
    ring = _many(lambda: _ring(99_000))
    yield of_manifest("E16-cycle-99000", "a long cycle", ring, seconds=10, **late)
    many = _many(lambda: ((f"t{n:06}", []) for n in range(100_001)))
    yield of_manifest("E17-100001-tasks", "a task over the limit", many, seconds=10, **late)
    line = _many(lambda: _chain(99_000))
    yield of_manifest("E17-chain-99000", "a long chain", line, seconds=20, **made_up, **late)


DIGESTS = {
    "nibble": lambda d: ("0" if d[0] != "0" else "1") + d[1:],
    "zeros": lambda d: "0" * 64,
    "short": lambda d: d[:-1],
    "long": lambda d: d + "0",
    "upper": lambda d: d.upper() if d.upper() != d else "A" * 64,
    "empty": lambda d: "",
    "null": lambda d: None,
    "prefix": lambda d: "sha256:" + d,
    "md5": lambda d: d[:32],
    "none": lambda d: "none",
    "digits": lambda d: "\u0661" * 64,
    "space": lambda d: d + " ",
    "newline": lambda d: d + "\n",
    "int": lambda d: 0,
    "list": lambda d: [d],
    "missing": lambda d: ...,
}

SIZES = {
    "one-more": lambda n: n + 1,
    "zero": lambda n: 0,
    "negative": lambda n: -1,
    "bool": lambda n: True,
    "float": float,
    "string": str,
    "2-53": lambda n: 1 << 53,
    "2-64": lambda n: 1 << 64,
    "null": lambda n: None,
    "missing": lambda n: ...,
}


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

    def contents(m: Json) -> Any:
        return m["contents"]

    def file(t: Json) -> Any:
        return t["files"][2]

    def frame(i: Json) -> Any:
        return i["frames"][0]

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
        "traversal": "../../evil",
        "slash": "demo/tasks",
        "dunder": "demo.__class__.x",
        "code": "os;reboot",
        "missing": "demo.absent",
        "empty-part": "demo..tasks",
        "dot-first": ".demo",
        "dot-last": "demo.",
        "digit-first": "demo.1x",
        "keyword": "demo.class",
        "file": "demo.tasks.py",
        "newline": "demo.tasks\n",
        "space": "demo. tasks",
        "call": "demo:main",
        "standard-library": "os",
        "with-workflow": "workflow.demo.tasks",
    }
    for name, value in modules.items():
        there = name in {"missing", "file", "standard-library", "with-workflow", "dunder"}
        yield of_manifest(
            f"E24-entry-{name}",
            "no entry module",
            lambda m, v=value: m.update(entry_module=v),
            reach="payload" if there else "head",
        )
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
            f"E25-newer-{value}",
            "a newer manifest",
            lambda m, v=value: m.update(format_version=v),
            codes=("A003", "M002"),
        )
    yield of_manifest(
        "E25-newer-with-unknown-fields",
        "a newer manifest, not a parse error",
        lambda m: {"format_version": 4, "what": [{"nobody": "knows"}]},
        codes=("A003", "M002"),
    )
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
    """Every case of what a manifest means."""
    for part in (
        artifacts,
        descriptions,
        graphs,
        digests,
        listings,
        languages,
        floods,
    ):
        yield from part()
