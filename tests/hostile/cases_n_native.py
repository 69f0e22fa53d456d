"""Row N: what only this format has. Its index, its tables, its sections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.hostile.case import Case, of
from tests.support import json_texts, tar_bytes, zstd_bytes
from tests.support.builder import FILES, FRAME_SIZE, File, Json, Recipe, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAD: dict[str, Any] = {"reach": "head"}

TWO = (*FILES, File("platform/linux_x86_64/x", b"x"), File("source/Cargo.toml", b"[package]\n"))

SECTIONS = Recipe(files=TWO)


def index() -> Iterator[Case]:
    """N5: `index.json` against what is there."""

    def frames(change: Callable[[list[Json]], Any]) -> Callable[[Json], Any]:
        return lambda table: change(table["frames"])

    def shifted(found: list[Json]) -> None:
        found[0]["size"] -= 1
        found[1]["size"] += 1

    extra = {"content_size": 512, "section": "common", "sha256": "0" * 64, "size": 20}
    bad: dict[str, Callable[[Json], Any]] = {
        "one-more": frames(lambda f: f.append(extra)),
        "one-more-first": frames(lambda f: f.insert(0, extra)),
        "last-missing": frames(lambda f: f.pop() and None),
        "first-missing": frames(lambda f: f.pop(0) and None),
        "none": frames(lambda f: f.clear()),
        "reversed": frames(lambda f: f.reverse()),
        "end-twice": frames(lambda f: f.append(f[-1])),
        "content-size-1-more": frames(lambda f: f[0].update(content_size=f[0]["content_size"] + 1)),
        "content-size-512-more": frames(
            lambda f: f[0].update(content_size=f[0]["content_size"] + 512)
        ),
        "content-size-0": frames(lambda f: f[0].update(content_size=0)),
        "size-1-more": frames(lambda f: f[0].update(size=f[0]["size"] + 1)),
        "size-1-less": frames(lambda f: f[0].update(size=f[0]["size"] - 1)),
        "size-0": frames(lambda f: f[0].update(size=0)),
        "size-over-the-bound": frames(
            lambda f: f[0].update(size=zstd_bytes.bound(f[0]["content_size"]) + 1)
        ),
        "size-shifted": frames(shifted),
        "section-source": frames(lambda f: f[0].update(section="source")),
        "section-end": frames(lambda f: f[0].update(section="end")),
        "section-common-for-end": frames(lambda f: f[-1].update(section="common")),
        "section-empty": frames(lambda f: f[0].update(section="")),
        "section-number": frames(lambda f: f[0].update(section=1)),
        "unknown-frame-key": frames(lambda f: f[0].update(x=1)),
        "offset-key": frames(lambda f: f[0].update(offset=0)),
        "unknown-key": lambda t: t.update(x=1),
        "no-tool": lambda t: {k: v for k, v in t.items() if k != "tool"},
        "tool-string": lambda t: t.update(tool="cloacina-ctl 0.1.0"),
        "tool-unknown-key": lambda t: t["tool"].update(x="y"),
        "tool-no-version": lambda t: t.update(tool={"name": "x"}),
        "tool-number": lambda t: t["tool"].update(version=1),
        "frames-null": lambda t: t.update(frames=None),
        "frames-object": lambda t: t.update(frames={}),
        "frame-size-0": lambda t: t.update(frame_size=0),
        "frame-size-1": lambda t: t.update(frame_size=1),
        "frame-size-1-mib": lambda t: t.update(frame_size=1 << 20),
        "frame-size-double": lambda t: t.update(frame_size=2 * FRAME_SIZE),
        "frame-size-string": lambda t: t.update(frame_size="2097152"),
    }
    codes = ("A004", "A005", "A008", "A009", "A011", "A012", "L")
    for name, patch in bad.items():
        yield of(f"N5-{name}", "an index of something else", index_patch=patch, codes=codes)
    yield of("N5-frame-size-1-mib-truly", "cut every 1 MiB", frame_size=1 << 20)
    hostile = {
        "ansi": "\x1b[2J",
        "newline": "x\nSignature: VALID",
        "bidi": "\u202e",
        "markup": "[/x]",
    }
    for name, text in hostile.items():
        yield of(
            f"N5-tool-{name}",
            "a hostile name of a tool",
            expected="any",
            index_patch=lambda t, x=text: t.update(tool={"name": x, "version": x}),
        )


def tables() -> Iterator[Case]:
    """N6: `files.json` and `index.json` as JSON texts."""
    for name, raw in json_texts.DOCUMENTS.items():
        yield of(f"N6-files-{name}", "no table", files_bytes=lambda g, r=raw: r)
        yield of(f"N6-index-{name}", "no index", index_bytes=lambda g, r=raw: r, **HEAD)
    sample = b'{"frames":[{"a":1,"f":2}]}\n'
    for name in json_texts.spoiled(sample):
        yield of(
            f"N6-files-form-{name}",
            "another form",
            files_bytes=lambda g, n=name: json_texts.spoiled(g)[n],
        )
        yield of(
            f"N6-index-form-{name}",
            "another form",
            index_bytes=lambda g, n=name: json_texts.spoiled(g)[n],
            **HEAD,
        )
    for name, raw in json_texts.VALUES.items():
        yield of(
            f"N6-files-size-{name}",
            "no size",
            files_bytes=lambda g, r=raw: g.replace(b'"size":0', b'"size":' + r, 1),
        )
        yield of(
            f"N6-files-path-{name}",
            "no path",
            files_bytes=lambda g, r=raw: g.replace(b'"package.toml"', r, 1),
        )
        yield of(
            f"N6-index-size-{name}",
            "no size",
            index_bytes=lambda g, r=raw: g.replace(
                b'"content_size":1024', b'"content_size":' + r, 1
            ),
            **HEAD,
        )

    def file(change: Callable[[Json], Any]) -> Callable[[Json], Any]:
        return lambda table: change(table["files"][0])

    bad: dict[str, Callable[[Json], Any]] = {
        "executable-false": file(lambda f: f.update(executable=False)),
        "executable-null": file(lambda f: f.update(executable=None)),
        "executable-1": file(lambda f: f.update(executable=1)),
        "executable-true-unlike-the-header": file(lambda f: f.update(executable=True)),
        "unknown-key": file(lambda f: f.update(mode=420)),
        "no-size": lambda t: t.update(
            files=[{k: v for k, v in e.items() if k != "size"} for e in t["files"]]
        ),
        "unknown-table-key": lambda t: t.update(x=1),
        "files-null": lambda t: t.update(files=None),
        "files-object": lambda t: t.update(files={}),
        "empty": lambda t: t.update(files=[]),
        "path-null": file(lambda f: f.update(path=None)),
        "path-list": file(lambda f: f.update(path=["package.toml"])),
        "size-8-gib": file(lambda f: f.update(size=8 << 30)),
        "size-64-gib": file(lambda f: f.update(size=64 << 30)),
        "size-2-53": file(lambda f: f.update(size=1 << 53)),
    }
    for name, patch in bad.items():
        yield of(f"N6-files-{name}-entry", "a table of another form", files_patch=patch)
    yield of(
        "N6-no-files",
        "a package of nothing",
        files=(),
        **HEAD,
        manifest={
            "language": "python",
            "workflows": [{"name": "a", "tasks": [{"dependencies": [], "id": "a"}]}],
        },
    )


def payload() -> Iterator[Case]:
    """N7: frames that are vouched for and wrong, or right and not vouched for."""
    big = Recipe(
        files=(*FILES, File("workflow/big.bin", bytes(range(256)) * (3 * FRAME_SIZE // 256)))
    )

    def swap(frames: list[Stored]) -> list[Stored]:
        return [frames[1], frames[0], *frames[2:]]

    yield of("N7-swapped", "two frames swapped", recipe=big, stored_patch=swap)
    yield of("N7-swapped-in-the-index-too", "two frames swapped", recipe=big, frames_patch=swap)
    yield of(
        "N7-first-twice",
        "one frame for another",
        recipe=big,
        frames_patch=lambda f: [f[0], f[0], *f[2:]],
    )
    yield of("N7-dropped", "a frame is missing", recipe=big, stored_patch=lambda f: f[1:], **HEAD)
    yield of("N7-doubled", "a frame twice", recipe=big, stored_patch=lambda f: [f[0], *f], **HEAD)
    other = [Stored("common", b"x" * 2560, zstd_bytes.frame(b"x" * 2560))]
    yield of("N7-other-content", "text in place of the tar", frames_patch=lambda f: [*other, f[-1]])

    def recompressed(frames: list[Stored]) -> list[Stored]:
        return [frames[0]._replace(frame=zstd_bytes.frame(frames[0].content, 19)), *frames[1:]]

    yield of("N7-recompressed", "the same content, other bytes", stored_patch=recompressed)

    def body(file: File, member: bytes) -> bytes:
        return member.replace(b"return context", b"return evil!!!") if file.data else member

    yield of("N7-body", "a body that is not the listed one", member_patch=body, codes=("A013",))
    for at in (0, 100, 512):

        def flipped(frames: list[Stored], at: int = at) -> list[Stored]:
            frame = bytearray(frames[0].frame)
            frame[at % len(frame)] ^= 1
            return [frames[0]._replace(frame=bytes(frame)), *frames[1:]]

        yield of(f"N7-bit-{at}", "a bit of a frame", stored_patch=flipped, codes=("A012",))

    def last_byte(frames: list[Stored]) -> list[Stored]:
        frame = frames[-1].frame
        return [*frames[:-1], frames[-1]._replace(frame=frame[:-1] + bytes([frame[-1] ^ 1]))]

    yield of("N7-last-bit", "the last bit of the file", stored_patch=last_byte, codes=("A012",))


PATHS = {
    "directly-under-platform": "platform/x.so",
    "tag-upper": "platform/Linux/x",
    "tag-dash": "platform/linux-x86/x",
    "tag-any": "platform/any/x",
    "tag-common": "platform/common/x",
    "tag-source": "platform/source/x",
    "tag-end": "platform/end/x",
    "tag-head": "platform/head/x",
    "tag-65": "platform/" + "t" * 65 + "/x",
    "tag-dot-first": "platform/.x/x",
    "tag-underscore-first": "platform/_x/x",
    "platform-file": "platform",
    "platform-upper": "PLATFORM/linux/x",
    "source-package-toml": "source/package.toml",
}


def sections() -> Iterator[Case]:
    """N8: paths that no section has, and files in the wrong order."""
    unsure = {"platform-upper", "source-package-toml", "platform-file"}
    for name, path in PATHS.items():
        yield of(
            f"N8-{name}",
            "a path of no section",
            recipe=Recipe(files=(*FILES, File(path, b"x"))),
            expected="any" if name in unsure else "refuse",
        )
    mixed = (File("source/Cargo.toml", b"x"), *FILES)
    yield of("N8-source-first", "sections in another order", files=mixed, sort=False)

    def joined(frames: list[Stored]) -> list[Stored]:
        both = frames[0].content + frames[1].content
        return [Stored("common", both, zstd_bytes.frame(both)), *frames[2:]]

    yield of(
        "N8-sections-in-one-frame", "a frame of two sections", recipe=SECTIONS, frames_patch=joined
    )

    def with_end(frames: list[Stored]) -> list[Stored]:
        both = frames[-2].content + tar_bytes.END
        return [*frames[:-2], Stored(frames[-2].section, both, zstd_bytes.frame(both))]

    yield of("N8-end-in-the-last-frame", "no frame for the end", frames_patch=with_end)


def cases() -> Iterator[Case]:
    """Every case of what the head says of the payload."""
    for part in (
        index,
        tables,
        payload,
        sections,
    ):
        yield from part()
