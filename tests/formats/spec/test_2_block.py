"""Docs/format.md, 2: the signature block and the sections that are withheld."""

from __future__ import annotations

import io
import tarfile

import pytest
import zstandard

from cloacina_ctl.dsse import PAYLOAD_TYPE, Envelope
from cloacina_ctl.formats.native.signature_block import SignatureBlock, encode_block
from cloacina_ctl.operations.sign import SignRequest, sign
from cloacina_ctl.operations.unpack import Wanted, unpack
from cloacina_ctl.signing.keys import PrivateKey
from tests.formats.spec.verdicts import refusal
from tests.support.builder import FILES, File, Recipe, build, make
from tests.support.envelopes import ALICE, BOB, MALLORY, canonical, envelope, keyid

TAG = "linux_x86_64"
SECTIONS = Recipe(
    files=(*FILES, File(f"platform/{TAG}/lib.so", b"x" * 900), File("source/Cargo.toml", b"[p]\n"))
)
NO_SECTION = ["common", "end", "macos_11_0_arm64", "Common", "", "head"]


def many(count: int) -> list[dict[str, object]]:
    """Return so many different envelopes of a key that nobody knows."""
    return [envelope(MALLORY, b"%d" % number) for number in range(count)]


def test_f5_64_envelopes_fit_and_65_do_not(judge):
    assert judge.verify(build(envelopes_patch=lambda _: many(64)))
    assert judge.refuses(build(envelopes_patch=lambda _: many(65))) == {"L001"}


def test_f5_a_block_of_more_than_one_mib_is_refused(judge):
    long = [envelope(MALLORY, b"x" * (800 << 10))]
    assert judge.refuses(build(envelopes_patch=lambda _: long)) == {"L001"}


def test_f5_a_block_of_no_more_than_one_mib_is_read(judge):
    long = [envelope(MALLORY, b"x" * (760 << 10))]
    assert judge.verify(build(envelopes_patch=lambda _: long))


def test_f5_the_writer_makes_no_larger_block():
    many_of_them = tuple(Envelope(b"%d" % n, PAYLOAD_TYPE, "0" * 64, bytes(64)) for n in range(65))
    assert refusal(encode_block, SignatureBlock(many_of_them), 100) == {"S011"}
    long = Envelope(bytes(800 << 10), PAYLOAD_TYPE, "0" * 64, bytes(64))
    assert refusal(encode_block, SignatureBlock((long,)), 100) == {"S011"}


@pytest.mark.parametrize("field", ["envelopes", "withheld"])
def test_f5_both_lists_are_there_empty_or_not(judge, field):
    def without(block):
        return {key: value for key, value in block.items() if key != field}

    assert judge.refuses(build(block_patch=without)) == {"A006"}
    assert judge.refuses(build(block_patch=lambda block: {**block, field: None})) == {"A006"}


def test_f5_the_writer_writes_both_lists():
    assert encode_block(SignatureBlock(), 100).endswith(b'{"envelopes":[],"withheld":[]}\n')


@pytest.mark.parametrize("version", [4, 5, 0xFFFF])
def test_f6_of_a_higher_version_nothing_is_judged_but_that_it_is_newer(judge, version):
    newer = build(
        format_version=version, flags=7, head_size=0, block_json=lambda _: b"\xff", signers=(BOB,)
    )
    assert judge.refuses(newer, ALICE, unsigned=False) == {"A003"}


@pytest.mark.parametrize("version", [0, 1, 2])
def test_f6_a_lower_version_has_no_signature_block(judge, version):
    assert judge.refuses(build(format_version=version)) == {"A006"}


@pytest.mark.parametrize("flags", [1, 2, 0x8000])
def test_f6_flags_must_be_zero(judge, flags):
    assert judge.refuses(build(flags=flags)) == {"A006"}


def test_f7_two_equal_envelopes_must_not_stand_in_one_block(judge):
    assert judge.refuses(build(signers=(ALICE, ALICE)), ALICE) == {"A006"}
    twice = many(1) * 2
    assert judge.refuses(build(envelopes_patch=lambda _: twice)) == {"A006"}


def test_f7_envelopes_stand_in_the_order_in_which_they_were_added(judge):
    path = judge.write(build(signers=(MALLORY,)))
    for seed in (BOB, ALICE):
        sign(SignRequest(path, keys=(PrivateKey.from_raw(seed),)))
    with open(path, "rb") as file:
        seen = judge.inspect(file.read()).signatures
    assert [one.keyid for one in seen] == [keyid(seed) for seed in (MALLORY, BOB, ALICE)]


@pytest.mark.parametrize("section", NO_SECTION)
def test_f17_only_sections_with_frames_can_be_withheld_and_never_common_or_end(judge, section):
    data = build(SECTIONS, block_patch=lambda block: {**block, "withheld": [section]})
    assert judge.refuses(data) == {"A006"}


@pytest.mark.parametrize("withheld", [["source", TAG], [TAG, TAG], ["source", 1]])
def test_f17_withheld_sections_are_sorted_texts_without_repetition(judge, withheld):
    data = build(
        SECTIONS, withheld=("source", TAG), block_patch=lambda b: {**b, "withheld": withheld}
    )
    assert judge.refuses(data) == {"A006"}


def test_f17_the_frames_of_a_withheld_section_are_not_in_the_file(judge):
    there = build(SECTIONS, block_patch=lambda block: {**block, "withheld": ["source"]})
    assert judge.refuses(there) == {"A005"}
    absent = build(
        SECTIONS, withheld=("source",), block_patch=lambda block: {**block, "withheld": []}
    )
    assert judge.refuses(absent) == {"A004"}


@pytest.mark.parametrize("withheld", [("source",), (TAG,), (TAG, "source")])
def test_f17_a_package_with_a_withheld_section_is_said_to_be_not_complete(judge, withheld):
    data = build(SECTIONS, withheld=withheld)
    assert judge.verify(build(SECTIONS)).complete
    assert not judge.verify(data).complete
    assert judge.inspect(data).withheld == withheld


def test_f17_what_is_missing_is_refused_to_whoever_uses_it(judge, tmp_path):
    data = build(SECTIONS, withheld=("source",))
    assert judge.refuses_to_unpack(data) == {"A017"}
    found = unpack(judge.write(data), str(tmp_path / "part"), judge.rule(), Wanted(partial=True))
    assert not found.complete
    assert not (tmp_path / "part" / "source").exists()
    assert (tmp_path / "part" / "platform" / TAG / "lib.so").read_bytes() == b"x" * 900


def test_f17_removing_sections_keeps_every_signature(judge):
    data = build(SECTIONS, withheld=(TAG, "source"), signers=(ALICE, BOB))
    answer = judge.verify(data, ALICE, BOB, unsigned=False, threshold=2)
    assert answer.trusted_signers == (keyid(ALICE), keyid(BOB))


def test_f17_a_tar_file_remains_when_sections_are_taken_out():
    made = make(SECTIONS.but(withheld=(TAG, "source")))
    frames = (made.head, *(stored.frame for stored in made.frames))
    stream = b"".join(map(zstandard.ZstdDecompressor().decompress, frames))
    with tarfile.open(fileobj=io.BytesIO(stream), mode="r:", errorlevel=2) as tar:
        assert tar.getnames()[-1] == "demo-1.0.0/workflow/demo/tasks.py"


def test_f5_the_block_has_one_spelling(judge):
    spaced = canonical({"envelopes": [], "withheld": []}).replace(b":", b": ")
    assert judge.refuses(build(block_json=lambda _: spaced)) == {"M001"}
