"""The signatures of a package of another generation, judged while it is read once."""

import bz2
import io
import tarfile

import pytest

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.formats.sinks import MemorySink
from cloacina_ctl.signing.fidius_signature import TreeDigest, sign_tree
from cloacina_ctl.signing.keys import PrivateKey
from cloacina_ctl.signing.sidecar import make_sidecar
from cloacina_ctl.signing.signatures import KnownKey, SignatureStatus
from cloacina_ctl.verification.tree_signature import TreeSignatureSink, check_sidecar

KEY = PrivateKey.from_raw(bytes(range(32)))
KNOWN = (KnownKey(KEY.public, "ada"),)
FILES = {
    "package.toml": (
        b'[package]\nname = "demo"\nversion = "0.1.0"\ninterface = "cloacina-workflow-plugin"\n'
        b'interface_version = 1\n\n[metadata]\nlanguage = "python"\nworkflow_name = "demo"\n'
        b'entry_module = "demo.tasks"\n'
    ),
    "workflow/demo/data.bin": bytes(range(256)) * 2000,
    "workflow/demo/tasks.py": b"import cloaca\n",
}


def tree_digest(files):
    digest = TreeDigest()
    for path, content in sorted(files.items()):
        digest.begin(path, len(content))
        digest.feed(content)
    return digest.digest()


def signed(files=FILES):
    return {**files, "package.sig": sign_tree(tree_digest(files), KEY)}


@pytest.fixture
def write(tmp_path):
    """Write a source package of some files, in that order; return its path."""

    def writing(files):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w", format=tarfile.GNU_FORMAT) as archive:
            for name, content in files:
                member = tarfile.TarInfo(f"demo-0.1.0/{name}")
                member.size, member.mode = len(content), 0o644
                archive.addfile(member, io.BytesIO(content))
        path = tmp_path / "x.cloacina"
        path.write_bytes(bz2.compress(data.getvalue()))
        return path

    return writing


def judge(path, known=KNOWN):
    """Judge both signatures as `verify` does; return them and the files that went through."""
    with open_any(str(path)) as package:
        beside = check_sidecar(package, known)
        memory = MemorySink()
        sink = TreeSignatureSink(memory)
        contents = package.stream(sink).contents
        return (*beside, *sink.check(package, contents, known)), memory.files


def test_a_package_without_signatures_has_none_and_goes_through_whole(write):
    judged, files = judge(write(sorted(FILES.items())))
    assert judged == ()
    assert files == FILES


def test_sidecar_and_package_sig_are_judged_in_one_pass(write):
    path = write(sorted(signed().items()))
    path.with_name("x.cloacina.sig").write_bytes(make_sidecar(Digest.of(path.read_bytes()), KEY))
    judged, files = judge(path)
    assert [one.scheme.name for one in judged] == ["sidecar", "package.sig"]
    assert [one.status for one in judged] == [SignatureStatus.TRUSTED, SignatureStatus.TRUSTED]
    assert files == signed()


@pytest.mark.parametrize("reverse", [True, False])
def test_files_in_an_order_that_upstream_never_writes_are_read_once_more(write, reverse):
    path = write([*sorted(signed().items(), reverse=True)] if reverse else _signature_last())
    judged, files = judge(path)
    assert [one.status for one in judged] == [SignatureStatus.TRUSTED]
    assert files == signed()


def _signature_last():
    return [*sorted(FILES.items()), ("package.sig", signed()["package.sig"])]


def test_a_changed_file_and_another_key_are_told_apart_by_nobody(write):
    changed = {**signed(), "workflow/demo/tasks.py": b"import evil\n"}
    judged, _ = judge(write(sorted(changed.items())))
    stranger, _ = judge(write(_signature_last()), known=())
    assert [one.status for one in (*judged, *stranger)] == [SignatureStatus.UNKNOWN_KEY] * 2
    assert judged == stranger


@pytest.mark.parametrize("name", ["workflow/plugin.so.sig", "workflow/target/build.sh"])
def test_a_file_that_rides_along_takes_the_vouching_away(write, name):
    judged, _ = judge(write(sorted({**signed(), name: b"evil"}.items())))
    assert [one.status for one in judged] == [SignatureStatus.VALID]
    assert name in judged[0].reason


@pytest.mark.parametrize("size", [0, 63, 65, 1 << 20])
def test_a_package_sig_of_another_length_is_refused(write, size):
    with pytest.raises(Refused) as caught:
        judge(write(sorted({**FILES, "package.sig": bytes(size)}.items())))
    assert caught.value.diagnostics[0].code is Code.BAD_SIDECAR


def test_a_broken_or_unreadable_sidecar_is_never_taken_for_none(write):
    path = write(sorted(FILES.items()))
    beside = path.with_name("x.cloacina.sig")
    beside.write_bytes(b"null")
    with pytest.raises(Refused):
        judge(path)
    beside.unlink()
    beside.mkdir()
    with pytest.raises(FileProblem):
        judge(path)
