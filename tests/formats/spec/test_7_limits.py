"""Docs/format.md, 7: limits."""

from __future__ import annotations

import time

import pytest

from cloacina_ctl.formats.limits import DEFAULT_LIMITS, GIB, MIB, Limits
from cloacina_ctl.formats.native.writer import WriteOptions
from cloacina_ctl.formats.plan import make_plan
from cloacina_ctl.manifest import canonical
from tests.formats.spec.verdicts import refusal
from tests.support import packages
from tests.support.builder import FILES, File, Recipe, build
from tests.support.zstd_bytes import frame, header

TABLE = Limits(
    signature_block=MIB,
    envelopes=64,
    head_compressed=16 * MIB,
    head=64 * MIB,
    manifest=16 * MIB,
    index_bytes=16 * MIB,
    tasks=100_000,
    files=250_000,
    file=8 * GIB - 1,
    total=64 * GIB,
    frames=65_536,
    ratio=200,
    ratio_from=256 * MIB,
)
LOWERED = {
    "signature_block": 40, "head_compressed": 200, "head": 3000, "manifest": 300,
    "index_bytes": 300, "tasks": 1, "files": 2, "file": 100, "total": 200, "frames": 1,
}  # fmt: skip


def test_f32_the_limits_are_those_of_the_table():
    assert DEFAULT_LIMITS == TABLE


@pytest.mark.parametrize("name", LOWERED)
def test_f32_a_reader_keeps_each_limit(judge, name):
    lowered = DEFAULT_LIMITS._replace(**{name: LOWERED[name]})
    assert judge.verify(build())
    assert judge.refuses(build(), limits=lowered) == {"L001"}


def test_f32_the_ratio_counts_in_a_large_payload_only(judge):
    zeros = build(files=(*FILES, File("vendor/zeros", bytes(MIB))))
    low = DEFAULT_LIMITS._replace(ratio_from=512 << 10)
    assert judge.verify(zeros)
    assert judge.refuses(zeros, limits=low) == {"L001"}
    assert judge.verify(zeros, limits=low._replace(ratio=10_000))


@pytest.mark.parametrize("name", ["head", "files", "file", "total", "manifest", "index_bytes"])
def test_f32_a_writer_applies_the_same_limits(tmp_path, name):
    target = tmp_path / "made.cloacina"
    lowered = DEFAULT_LIMITS._replace(**{name: 2})

    def write() -> None:
        plan = packages.planned(packages.FILES)
        make_plan(plan.root, plan.files, lowered)
        packages.write(target, plan, options=WriteOptions(limits=lowered))

    assert refusal(write) == {"L001"}
    assert not target.exists()


CLAIMS = {
    "a head of 1 TiB": {"head_frame": lambda c: header(1 << 40, window=88) + frame(c)[9:]},
    "a head of 65 MiB": {"head_frame": lambda c: header(65 * MIB, window=88) + frame(c)[9:]},
    "a compressed head of 4 GiB": {"head_size": 0xFFFFFFFF},
    "a file of 1 TiB": {"files_patch": lambda t: t["files"][0].update(size=1 << 40)},
    "65 GiB in all": {
        "files_patch": lambda t: [f.update(size=7 << 33) for f in t["files"]] and None
    },
}


@pytest.mark.parametrize("name", CLAIMS)
def test_f32_a_claim_is_judged_before_time_or_memory_is_spent(judge, name):
    begun = time.perf_counter()
    assert judge.refuses(build(**CLAIMS[name])) == {"L001"}
    assert time.perf_counter() - begun < 1


def test_f32_a_user_can_raise_a_limit_for_a_single_run(judge):
    data = build()
    lowered = DEFAULT_LIMITS._replace(files=len(FILES) - 1)
    assert judge.refuses(data, limits=lowered) == {"L001"}
    assert judge.verify(data, limits=lowered._replace(files=len(FILES)))


def of_manifest(raw: bytes) -> Recipe:
    """Return a package whose manifest holds these bytes where its language should stand."""
    return Recipe(
        manifest_bytes=lambda good: good.replace(b'"language":"python"', b'"language":' + raw)
    )


COSTLY = {
    "nesting": (b"[" * 200_000 + b"]" * 200_000, "L001"),
    "brackets that never close": (b"[" * 400_000, "L001"),
    "commas": (b"[" + b"1," * 2_100_000 + b"1]", "L001"),
    "a run of digits": (b"9" * 1_000_000, "M001"),
    "a run of digits with a sign": (b"-" + b"9" * 1_000_000, "M001"),
}


@pytest.mark.parametrize("name", COSTLY)
def test_f33_a_scan_bounds_what_the_manifest_makes_a_parser_do(judge, name):
    raw, code = COSTLY[name]
    data = build(of_manifest(raw))
    begun = time.perf_counter()
    assert judge.refuses(data) == {code}
    assert time.perf_counter() - begun < 1


def test_f33_brackets_in_texts_are_no_nesting():
    text = b'["' + b"[{" * 50 + b'"]\n'
    assert canonical.decode(text, what="the text") == ["[{" * 50]


@pytest.mark.parametrize("member", ["files", "index"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda good: b" " + good,
        lambda good: good.rstrip(b"\n"),
        lambda good: good.replace(b'":', b'": ', 1),
        lambda good: good.replace(b"size", b"s\\u0069ze", 1),
        lambda good: good.replace(b'[{"', b'[[],{"', 1),
        lambda good: b"[" * 100_000 + good,
        lambda good: good[:-2] + b',"x":' + b"9" * 100_000 + b"}\n",
    ],
)
def test_f33_files_json_and_index_json_are_read_against_their_fixed_spelling(judge, member, spoil):
    code = {"files": "A010", "index": "A009"}[member]
    assert judge.refuses(build(**{f"{member}_bytes": spoil})) == {code}
