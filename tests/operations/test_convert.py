"""``convert``: what is lost is said first, what is not lost is the same, who vouched is asked."""

from __future__ import annotations

import io
import json
import tarfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloacina_ctl.formats.file_index import Tool
from cloacina_ctl.formats.layout import library_path
from cloacina_ctl.formats.native.writer import PackageWriter
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.formats.plan import PlannedFile, make_plan
from cloacina_ctl.manifest import Contents, Language, Manifest, PackageInfo, Retry, Task, Workflow
from cloacina_ctl.operations.convert import ConvertRequest, convert
from cloacina_ctl.operations.package import PackageRequest, package
from cloacina_ctl.operations.packaging.target import FormatTarget
from cloacina_ctl.operations.unpack import unpack
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.platforms import artifact_of, read_library
from cloacina_ctl.verification.policy import VerificationPolicy
from tests.support import archives
from tests.support.projects import FIXTURES
from tests.support.workflow_libraries import fidius_library, raw_library

UNSIGNED = VerificationPolicy(allow_unsigned=True)


def write(path, data):
    path.write_bytes(data)
    return path


@pytest.fixture
def native(cli, tree, tmp_path):
    """A native package with nothing that a source package could not hold."""
    assert cli("package", tree, "--no-sign", "-o", "native.cloacina").status == 0
    return tmp_path / "native.cloacina"


def members(path):
    with tarfile.open(path) as archive:
        return {m.name.partition("/")[2]: archive.extractfile(m).read() for m in archive}


def files_of(path, folder):
    unpack(str(path), str(folder), UNSIGNED)
    return {
        str(one.relative_to(folder)): (one.read_bytes(), one.stat().st_mode & 0o100)
        for one in sorted(folder.rglob("*"))
        if one.is_file()
    }


def test_there_and_back_the_sources_are_the_same(cli, native, tmp_path):
    there = cli("convert", native, "--format", "source", "-o", "s.cloacina", "--allow-unsigned")
    assert there.status == 0, there.err
    assert cli("validate", "s.cloacina").status == 0
    back = cli("convert", "s.cloacina", "--format", "native", "-o", "b.cloacina",
               "--allow-unsigned")  # fmt: skip
    assert back.status == 0, back.err
    assert cli("validate", "b.cloacina").status == 0
    first, last = files_of(native, tmp_path / "1"), files_of("b.cloacina", tmp_path / "2")
    own = last.pop("package.toml")[0].partition(b"\n")
    assert own[0].startswith(b"# converted by cloacina-ctl from source sha256:")
    assert own[2] == first.pop("package.toml")[0]
    assert first == last
    with open_any(str(native)) as one, open_any("b.cloacina") as two:
        assert one.head.manifest._replace(contents=None) == two.head.manifest._replace(
            contents=None
        )


names = st.from_regex(r"[a-z]{1,8}", fullmatch=True).filter(
    lambda name: name not in ("aux", "con", "nul", "prn")
)
bodies = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=60)


@st.composite
def projects(draw):
    """A Python tree: some tasks in a row, modules, data, and things beside."""
    tasks = draw(st.lists(names, min_size=1, max_size=5, unique=True))
    lines = ["import cloaca"]
    for number, name in enumerate(tasks):
        needs = draw(st.lists(st.sampled_from(tasks[:number]), unique=True)) if number else []
        lines += [f"@cloaca.task(id={name!r}, dependencies={needs!r})", f"def t_{name}(c): ...", ""]
    files = {"workflow/demo_x/__init__.py": b"", "workflow/demo_x/tasks.py": "\n".join(lines)}
    for name in draw(st.lists(names, max_size=4, unique=True)):
        folder = draw(st.sampled_from(["workflow/demo_x/data", "workflow/demo_x", "vendor/lib_y"]))
        files[f"{folder}/{name}.txt"] = draw(bodies)
    return {
        path: text if isinstance(text, bytes) else text.encode() for path, text in files.items()
    }


@given(projects(), st.booleans())
@settings(max_examples=25, deadline=None)
def test_any_python_project_survives_the_way_there_and_back(tmp_path_factory, files, pad):
    folder = tmp_path_factory.mktemp("p")
    project = folder / "project"
    for path, data in files.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_bytes(data)
    (project / "package.toml").write_text(
        '[package]\nname = "demo-x"\nversion = "1.0"\n[metadata]\nlanguage = "python"\n'
        'workflow_name = "demo"\nentry_module = "demo_x.tasks"\n'
    )
    one, two, three = (str(folder / name) for name in ("1", "2", "3"))
    package(PackageRequest(str(project), one))
    there = ConvertRequest(one, two, FormatTarget("source"), UNSIGNED, pad=pad)
    made = convert(there)
    convert(ConvertRequest(two, three, FormatTarget("native"), UNSIGNED))
    first, last = files_of(one, folder / "u1"), files_of(three, folder / "u3")
    assert first.pop("package.toml")
    assert last.pop("package.toml")
    assert first == last == {path: (data, 0) for path, data in files.items()}
    again = convert(there._replace(output=str(folder / "4")))
    assert again.content == made.content


def test_padding_is_added_on_the_way_there_and_gone_on_the_way_back(cli, tree, tmp_path):
    (tree / "workflow" / "sensor_readings" / "zeros.bin").write_bytes(bytes(300_000))
    cli("package", tree, "--no-sign", "-o", "n.cloacina")
    line = ("convert", "n.cloacina", "--format", "source", "-o", "s.cloacina", "--allow-unsigned")
    assert cli(*line, "--json").codes == ["A024"]
    assert not (tmp_path / "s.cloacina").exists()
    assert cli(*line, "--pad", "--json").json["result"]["padding"] > 0
    cli("convert", "s.cloacina", "--format", "native", "-o", "b.cloacina", "--allow-unsigned")
    assert (
        files_of("n.cloacina", tmp_path / "1").keys()
        == files_of("b.cloacina", tmp_path / "2").keys()
    )


def test_a_file_that_is_only_called_padding_is_kept(cli, tmp_path):
    files = {**archives.SOURCE, "~padding.bin": b"mine"}
    write(tmp_path / "s.cloacina", archives.bz2(archives.source_tar(files)))
    line = ("convert", "s.cloacina", "--format", "native", "-o", "n.cloacina", "--allow-unsigned")
    assert cli(*line).status == 0
    assert "~padding.bin" in files_of("n.cloacina", tmp_path / "1")


def test_a_crate_goes_there_and_back(cli, crate, tmp_path):
    cli("package", crate, "--format", "source", "-o", "s.cloacina")
    back = cli("convert", "s.cloacina", "--format", "native", "-o", "n.cloacina",
               "--allow-unsigned")  # fmt: skip
    assert back.status == 0, back.err
    there = cli("convert", "n.cloacina", "--format", "source", "-o", "t.cloacina",
                "--allow-unsigned")  # fmt: skip
    assert there.status == 0, there.err
    first, last = members(tmp_path / "s.cloacina"), members(tmp_path / "t.cloacina")
    assert first.pop("package.toml") in last.pop("package.toml")
    assert first == last
    wrong = cli("convert", "n.cloacina", "--runtime", "0.10", "-o", "w.cloacina",
                "--allow-unsigned", "--json")  # fmt: skip
    assert (wrong.status, wrong.codes) == (3, ["P019"])


# --- what would be lost


def test_losses_are_listed_and_nothing_is_written_until_they_are_allowed(cli, report, tmp_path):
    cli("key", "generate")
    cli("package", report, "-o", "n.cloacina")
    line = ("convert", "n.cloacina", "--format", "source", "-o", "s.cloacina")
    answer = cli(*line, "--json")
    assert answer.status == 3
    assert set(answer.codes) == {"A026"}
    said = " ".join(one["message"] for one in answer.json["diagnostics"])
    for word in ("signature", "license", "homepage", "keywords", "releases: >=0.6"):
        assert word in said
    assert not (tmp_path / "s.cloacina").exists()
    taken = cli(*line, "--lossy", "--json")
    assert taken.status == 0
    assert len(taken.json["result"]["losses"]) == len(answer.codes)
    shown = cli(*line, "--lossy", "--force")
    assert "lost: the signature" in shown.err
    assert "a conversion drops all signatures" in shown.err


def library_package(path, elf, *, kind="cdylib", tasks=None, more=()):
    """Write a native package of a library alone."""
    data = elf.build()
    library = read_library(data, where="x")
    place = library_path(library.tag, "libetl.so")
    artifact = artifact_of(library, path=place)._replace(kind=kind)
    tasks = tasks or (Task("extract"), Task("load", ("extract",), retry=Retry()))
    manifest = Manifest(
        format_version=3,
        package=PackageInfo("etl", "1.0.0", authors=("A", "B")),
        language=Language.RUST,
        contents=Contents(1, "0" * 64, 1),
        workflows=(Workflow("etl", tasks, author="A. Author", fingerprint="ab"),),
        artifacts=(artifact,),
    )
    planned = [PlannedFile(MemberPath(place), data, len(data), False, "")]
    planned += [PlannedFile(MemberPath(name), body, len(body), False, "") for name, body in more]
    with PackageWriter(str(path)) as writer:
        written = writer.write_payload(make_plan("etl-1.0.0", planned))
        whole = manifest._replace(contents=written.contents)
        writer.write_head(whole, written, Tool("tests", "1"))
        writer.commit()
    return path


@pytest.mark.parametrize(
    ("layout", "order", "architecture"),
    [("0.2", ["extract", "load"], "x86_64-unknown-linux-gnu"), ("0.3", None, "x86_64")],
)
def test_a_library_of_the_first_releases_becomes_their_package(
    cli, tmp_path, layout, order, architecture
):
    library_package(tmp_path / "n.cloacina", raw_library(layout))
    line = ("convert", "n.cloacina", "--format", "v1", "-o", "v.cloacina", "--allow-unsigned")
    lost = cli(*line, "--json")
    said = " ".join(one["message"] for one in lost.json["diagnostics"])
    assert "retries: load; the library keeps them" in said
    assert "authors but the first: B" in said
    assert cli(*line, "--lossy").status == 0
    data = (tmp_path / "v.cloacina").read_bytes()
    assert data[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        names = [member.name for member in archive]
        text = archive.extractfile("manifest.json").read()
        assert archive.extractfile("libetl.so").read() == raw_library(layout).build()
    assert names == ["manifest.json", "libetl.so"]
    manifest = json.loads(text)
    assert text == json.dumps(manifest, indent=2).encode()
    assert manifest.get("execution_order") == order
    assert manifest["library"]["architecture"] == architecture
    assert "cloacina_execute_task" in manifest["library"]["symbols"]
    assert manifest["graph"]["metadata"] == {
        "task_count": 2, "edge_count": 1, "has_cycles": False, "depth_levels": 2,
        "root_tasks": ["extract"], "leaf_tasks": ["load"],
    }  # fmt: skip
    assert ("author" in manifest["package"]) is (layout == "0.3")
    back = cli("convert", "v.cloacina", "--format", "native", "-o", "b.cloacina",
               "--allow-unsigned")  # fmt: skip
    assert back.status == 0, back.err
    assert files_of("b.cloacina", tmp_path / "b") == files_of("n.cloacina", tmp_path / "n")


def test_a_library_is_for_the_runtimes_that_load_it(cli, tmp_path):
    library_package(tmp_path / "old.cloacina", raw_library("0.3"))
    library_package(tmp_path / "new.cloacina", fidius_library())
    words = ("-o", "x.cloacina", "--allow-unsigned", "--lossy", "--json")
    for name, target in (
        ("old", ("--runtime", "0.2")),
        ("new", ("--format", "v1")),
        ("old", ("--format", "source")),
    ):
        answer = cli("convert", f"{name}.cloacina", *target, *words)
        assert (answer.status, answer.codes) == (6, ["B011"])
    assert cli("convert", "old.cloacina", "--runtime", "0.3", *words).status == 0


def test_a_compiled_library_is_lost_where_a_source_package_is_made(cli, tmp_path):
    crate = FIXTURES / "rust_etl"
    more = [
        (f"source/{name}", (crate / name).read_bytes())
        for name in ("Cargo.toml", "Cargo.lock", "src/lib.rs", "src/orders.rs", "src/money.rs")
    ]
    library_package(tmp_path / "n.cloacina", fidius_library(), more=more)
    line = ("convert", "n.cloacina", "--format", "source", "-o", "s.cloacina", "--allow-unsigned")
    answer = cli(*line, "--json")
    assert answer.codes == ["A026"]
    assert "compiled library for" in answer.json["diagnostics"][0]["message"]
    assert cli(*line, "--lossy").status == 0
    found = members(tmp_path / "s.cloacina")
    assert not any(name.endswith(".so") for name in found)
    assert b'language = "rust"' in found["package.toml"]
    v1 = cli("convert", "n.cloacina", "--format", "v1", "-o", "v.cloacina", "--allow-unsigned")
    assert v1.status == 6


# --- from the other generations


def test_a_second_format_becomes_native_and_says_what_it_loses(cli, tmp_path):
    write(tmp_path / "two.cloacina", archives.gz(archives.v2_tar()))
    line = ("convert", "two.cloacina", "--format", "native", "-o", "n.cloacina",
            "--allow-unsigned")  # fmt: skip
    answer = cli(*line, "--json")
    assert set(answer.codes) == {"A026"}
    assert cli(*line, "--lossy").status == 0
    assert cli("validate", "n.cloacina").status == 0
    with open_any("n.cloacina") as found:
        (workflow,) = found.head.manifest.workflows
        assert [(task.id, task.dependencies) for task in workflow.tasks] == [
            ("extract", ()),
            ("load", ("extract",)),
        ]
        assert found.head.manifest.entry_module == "demo.tasks"
    assert files_of("n.cloacina", tmp_path / "u").keys() == {
        "package.toml", "workflow/demo/__init__.py", "workflow/demo/tasks.py"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"platform/x/y": b"1"}, "P016"),
        ({"source/y": b"1"}, "P016"),
        ({"workflow/demo/tasks.py": b"def ("}, "Y006"),
        ({"workflow/demo/tasks.py": b"import cloaca\nfor x in 'ab':\n  @cloaca.task(id=x)\n"
                                    b"  def f(c): ...\n"}, "Y007"),
        ({"workflow/demo/aux.py": b""}, "A015"),
        ({"workflow/demo/tasks.py": b""}, "M009"),
    ],
)  # fmt: skip
def test_what_a_native_manifest_could_not_tell_the_truth_of_is_refused(cli, tmp_path, files, code):
    made = archives.source_tar({**archives.SOURCE, **files})
    write(tmp_path / "s.cloacina", archives.bz2(made))
    answer = cli("convert", "s.cloacina", "--format", "native", "-o", "n.cloacina",
                 "--allow-unsigned", "--json")  # fmt: skip
    assert answer.status == 3
    assert code in answer.codes
    assert not (tmp_path / "n.cloacina").exists()


def test_who_vouches_is_asked_before_anything_is_converted(cli, tree, report, tmp_path):
    cli("key", "generate")
    cli("package", tree, "--format", "source", "-o", "s.cloacina")
    line = ("convert", "s.cloacina", "--format", "native", "-o", "n.cloacina")
    made = cli(*line, "--lossy", "--json")
    assert made.status == 0
    assert len(made.json["result"]["trusted_signers"]) == 1
    assert cli(*line, "--lossy", "--force", "--content", "sha256:" + "0" * 64).status == 4
    assert cli(*line, "--lossy", "--force", "--name", "other").status == 4
    (tmp_path / "s.cloacina.sig").unlink()
    assert cli(*line, "--lossy", "--force").status == 4
    assert cli("convert", "n.cloacina", "--format", "source", "-o", "t.cloacina").status == 4


def test_a_damaged_package_is_not_converted(cli, native, tmp_path):
    data = native.read_bytes()
    write(tmp_path / "d.cloacina", data[:-100] + bytes([data[-100] ^ 1]) + data[-99:])
    answer = cli("convert", "d.cloacina", "--format", "source", "-o", "s.cloacina",
                 "--allow-unsigned")  # fmt: skip
    assert answer.status == 3
    assert not (tmp_path / "s.cloacina").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("native.cloacina", "--format", "native", "-o", "x"),
        ("s.cloacina", "--format", "source", "-o", "x"),
        ("s.cloacina", "--runtime", "0.3", "-o", "x"),
        ("native.cloacina", "--format", "source"),
        ("native.cloacina", "-o", "x"),
        ("native.cloacina", "--format", "source", "-o", "native.cloacina", "--force"),
        ("native.cloacina", "--format", "native", "-o", "x", "--pad"),
    ],
)
def test_a_line_that_asks_for_nothing_is_a_wrong_one(cli, native, tmp_path, words):
    write(tmp_path / "s.cloacina", archives.bz2(archives.source_tar()))
    answer = cli("convert", *words, "--allow-unsigned", "--json")
    assert (answer.status, answer.codes) == (2, ["U001"])


def test_an_existing_file_is_replaced_only_when_that_is_said(cli, native, tmp_path):
    write(tmp_path / "s.cloacina", b"mine")
    line = ("convert", native, "--format", "source", "-o", "s.cloacina", "--allow-unsigned")
    assert cli(*line).status == 8
    assert (tmp_path / "s.cloacina").read_bytes() == b"mine"
    assert cli(*line, "--force").status == 0
