"""``package --format`` and ``--runtime``: the right format, its rules kept or refused."""

from __future__ import annotations

import bz2
import subprocess
import sys

import pytest

from cloacina_ctl.toml import parse_toml
from tests.support.archives import members
from tests.support.projects import FIXTURES


def package_toml(path):
    return parse_toml(members(path)["package.toml"], where="package.toml")


def test_a_source_package_holds_the_tree_that_runtimes_load(cli, report, tmp_path):
    made = cli("package", report, "--format", "source", "-o", "x.cloacina", "--json")
    assert made.status == 0
    result = made.json["result"]
    assert (result["format"], result["runtime"], result["sidecar"]) == ("source", None, None)
    found = members(tmp_path / "x.cloacina")
    source = report / "src"
    for name, data in found.items():
        if name.startswith("workflow/"):
            assert data == (source / name.removeprefix("workflow/")).read_bytes()
    assert package_toml(tmp_path / "x.cloacina")["metadata"] == {
        "language": "python",
        "workflow_name": "daily_report",
        "description": "Reads the orders of a day, sums them up and writes a report.",
        "author": "Ada Example <ada@example.org>",
        "requires_python": ">=3.10",
        "entry_module": "daily_report.tasks",
    }
    assert cli("validate", "x.cloacina").status == 0
    assert cli("inspect", "x.cloacina", "--json").json["result"]["format"] == "source"


def test_the_plan_is_that_of_the_format(cli, report, tmp_path):
    plan = cli("package", report, "--runtime", "0.10", "--list", "--json").json["result"]
    cli("package", report, "--runtime", "0.10", "-o", "x.cloacina")
    assert (plan["format"], {one["section"] for one in plan["files"]}) == ("source", {None})
    assert [one["path"] for one in plan["files"]] == list(members(tmp_path / "x.cloacina"))


def test_it_is_the_same_bytes_wherever_the_project_lies(cli, report, tmp_path):
    import shutil

    other = shutil.copytree(report, tmp_path / "élsewhere" / "deep")
    cli("package", report, "--format", "source", "-o", "one.cloacina")
    cli("package", other, "--format", "source", "-o", "two.cloacina")
    assert (tmp_path / "one.cloacina").read_bytes() == (tmp_path / "two.cloacina").read_bytes()


@pytest.mark.parametrize(
    ("runtime", "there"), [("0.5", False), ("0.6.1", True), ("0.7", True), ("0.8", False)]
)
def test_the_language_stands_under_package_where_compilers_look_for_it(
    cli, report, tmp_path, runtime, there
):
    cli("package", report, "--runtime", runtime, "-o", "x.cloacina")
    assert ("language" in package_toml(tmp_path / "x.cloacina")["package"]) is there


def test_what_the_author_wrote_stays_with_its_comments_and_its_order(cli, tree, tmp_path):
    own = tree / "package.toml"
    text = "# our sensors\n" + own.read_text().replace(
        "[metadata]", '# beside the last one\n[metadata] # more\nauthor = "B. Author" # not Ada'
    ).replace('author = "Ada Example"\n', "")
    own.write_text(text)
    cli("package", tree, "--runtime", "newest", "-o", "x.cloacina")
    written = members(tmp_path / "x.cloacina")["package.toml"].decode()
    for line in ("# our sensors", "# beside the last one", 'author = "B. Author" # not Ada'):
        assert line in written
    assert written.index("author") < written.index("language")
    assert package_toml(tmp_path / "x.cloacina")["package"]["interface_version"] == 1


def test_a_text_that_says_all_already_is_left_as_it_is(cli, tree, tmp_path):
    cli("package", tree, "--format", "source", "-o", "x.cloacina")
    resolved = b"# mine\n" + members(tmp_path / "x.cloacina")["package.toml"]
    (tree / "package.toml").write_bytes(resolved)
    cli("package", tree, "--format", "source", "-o", "y.cloacina")
    assert members(tmp_path / "y.cloacina")["package.toml"] == resolved


def test_a_large_text_loses_its_comments_rather_than_take_minutes(cli, tree, tmp_path):
    own = tree / "package.toml"
    own.write_text("# x\n" * 20_000 + own.read_text())
    assert cli("package", tree, "--format", "source", "-o", "x.cloacina").status == 0
    assert b"# x" not in members(tmp_path / "x.cloacina")["package.toml"]


def test_the_editor_of_texts_is_loaded_only_where_a_text_has_to_change(tmp_path):
    code = (
        "import sys; from cloacina_ctl.cli.main import run;"
        "status = run(['package', sys.argv[1], '--no-sign', '-q', '-o', sys.argv[2]]);"
        "print(status, 'tomlkit' in sys.modules)"
    )
    for project, loaded in (("python_report", False), ("python_tree", True)):
        said = subprocess.run(
            [sys.executable, "-c", code, FIXTURES / project, tmp_path / project],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert said.stdout == f"0 {loaded}\n"


def refused(cli, *words, status=3):
    answer = cli("package", *words, "-o", "x.cloacina", "--json")
    assert answer.status == status
    return answer


@pytest.mark.parametrize(
    ("key", "runtime", "words"),
    [
        ("triggers = []", "0.6", "is refused (Cloacina 0.6 and later)"),
        ('package_type = ["workflow"]', "0.10", "Cloacina 0.6 and later"),
        ('workflow = "x"', "newest", "Cloacina 0.6 and later"),
        ('providers = { a = "0.1" }', "0.9", "Cloacina 0.6 to 0.9"),
    ],
)
def test_a_key_that_the_runtime_refuses_is_refused(cli, tree, key, runtime, words):
    with (tree / "package.toml").open("a") as file:
        file.write(key + "\n")
    answer = refused(cli, tree, "--runtime", runtime)
    assert answer.codes == ["P019"]
    assert words in answer.json["diagnostics"][0]["message"]
    assert answer.json["diagnostics"][0]["hint"]


@pytest.mark.parametrize(("key", "runtime"), [("x = 1", "0.5"), ("providers = {}", "0.10")])
def test_a_key_that_the_runtime_takes_is_kept(cli, tree, tmp_path, key, runtime):
    with (tree / "package.toml").open("a") as file:
        file.write(key + "\n")
    assert cli("package", tree, "--runtime", runtime, "-o", "x.cloacina").status == 0
    assert key.partition(" ")[0] in package_toml(tmp_path / "x.cloacina")["metadata"]


def test_triggers_are_bound_in_the_manifest_for_the_runtimes_that_look_there(cli, tree, tmp_path):
    cli("package", tree, "--runtime", "0.4", "-o", "x.cloacina")
    (trigger,) = package_toml(tmp_path / "x.cloacina")["metadata"]["triggers"]
    assert trigger["name"] == "every_hour"
    assert trigger["workflow"] == "sensor_readings"
    assert trigger["poll_interval"]


def test_a_name_that_shadows_a_standard_module_is_refused(cli, tree):
    (tree / "workflow" / "json").mkdir()
    (tree / "workflow" / "json" / "__init__.py").write_text("")
    assert "Y003" in refused(cli, tree, "--format", "source").codes


def test_what_is_too_compressible_is_refused_and_padded_on_demand(cli, tree, tmp_path):
    (tree / "workflow" / "sensor_readings" / "zeros.bin").write_bytes(bytes(400_000))
    answer = refused(cli, tree, "--format", "source")
    assert answer.codes == ["A024"]
    assert answer.json["diagnostics"][0]["hint"].endswith("--pad")
    assert cli("package", tree, "--runtime", "0.5", "-o", "old.cloacina").status == 0
    made = cli("package", tree, "--format", "source", "--pad", "-o", "x.cloacina", "--json")
    assert made.json["result"]["padding"] > 0
    size = (tmp_path / "x.cloacina").stat().st_size
    assert sum(map(len, members(tmp_path / "x.cloacina").values())) <= 10 * size
    assert cli("validate", "x.cloacina").status == 0
    assert (
        "padded with"
        in cli("package", tree, "--format", "source", "--pad", "-o", "x.cloacina", "--force").out
    )


def test_more_files_than_runtimes_load_are_refused(cli, tree):
    folder = tree / "workflow" / "sensor_readings"
    for number in range(10_000):
        (folder / f"{number}.txt").touch()
    answer = refused(cli, tree, "--format", "source", "--list")
    assert answer.codes == ["A024"]
    assert "10000" in answer.json["diagnostics"][0]["message"]


# --- Rust


def test_a_crate_is_packed_as_its_source_and_nothing_is_built(cli, crate, tmp_path):
    made = cli("package", crate, "--format", "source", "-o", "x.cloacina", "--json")
    assert made.status == 0
    found = members(tmp_path / "x.cloacina")
    assert {"Cargo.toml", "Cargo.lock", "src/lib.rs", "package.toml"} <= found.keys()
    assert not (crate / "target").exists()
    assert cli("validate", "x.cloacina").status == 0


def test_a_lock_file_that_git_ignores_is_packed_all_the_same(cli, crate, tmp_path):
    (crate / ".gitignore").write_text("Cargo.lock\n/target\n")
    assert cli("package", crate, "--format", "source", "-o", "x.cloacina").status == 0
    assert "Cargo.lock" in members(tmp_path / "x.cloacina")


def test_a_missing_lock_file_is_refused_with_the_command_that_makes_one(cli, crate):
    (crate / "Cargo.lock").unlink()
    answer = refused(cli, crate, "--format", "source")
    assert answer.codes == ["R014"]
    assert "cargo generate-lockfile" in answer.json["diagnostics"][0]["hint"]


@pytest.mark.parametrize(
    "text",
    [
        '[dev-dependencies]\nhelper = { path = "../helper" }\n',
        '[build-dependencies.helper]\npath = "helper"\n',
        "[target.'cfg(unix)'.dependencies]\nhelper = { path = 'x', version = '1' }\n",
        '[patch.crates-io]\nhelper = { path = "../helper" }\n',
    ],
)
def test_a_dependency_by_path_that_is_not_there_is_refused_by_name(cli, crate, text):
    with (crate / "Cargo.toml").open("a") as file:
        file.write(text)
    answer = refused(cli, crate, "--format", "source")
    assert answer.codes == ["R015"]
    assert answer.json["diagnostics"][0]["message"].startswith("`helper` is a dependency by path")


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('crate-type = ["cdylib", "rlib"]', 'crate-type = ["rlib"]', "R004"),
        ('default = ["packaged"]', "default = []", "R005"),
    ],
)
def test_wiring_that_the_compiler_does_not_add_is_refused(cli, crate, old, new, code):
    manifest = crate / "Cargo.toml"
    manifest.write_text(manifest.read_text().replace(old, new))
    assert refused(cli, crate, "--runtime", "0.6").codes == [code]


def test_a_crate_of_another_release_is_refused_with_the_one_that_fits(cli, crate):
    answer = refused(cli, crate, "--runtime", "0.10")
    assert answer.codes == ["P019"]
    assert "--runtime 0.6" in answer.json["diagnostics"][0]["hint"]
    assert cli("package", crate, "--runtime", "0.7", "--list").status == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--features", "extra"),
        ("--no-default-features",),
        ("--profile", "dev"),
        ("--target", "x86_64-unknown-linux-musl"),
        ("--no-load",),
        ("--", "--no-default-features"),
    ],
)
def test_an_option_that_only_steers_a_build_is_refused_where_nothing_is_built(
    cli, crate, report, words
):
    for place, *form in ((crate, "--format", "source"), (crate, "--runtime", "0.7"), (report,)):
        answer = cli("package", place, *form, "--json", *words)
        assert (answer.status, answer.codes) == (2, ["U003"])
        assert " ".join(words) in answer.json["diagnostics"][0]["message"]


def test_a_crate_of_the_first_releases_is_no_source_package(cli):
    answer = refused(cli, FIXTURES / "rust_tutorial", "--format", "source")
    assert "P019" in answer.codes


# --- signatures, and lines that contradict themselves


def test_a_source_package_is_signed_by_a_file_beside_it(cli, report, tmp_path):
    cli("key", "generate")
    made = cli("package", report, "--format", "source", "-o", "x.cloacina")
    assert made.status == 0
    assert "signature in x.cloacina.sig" in made.out
    assert cli("verify", "x.cloacina").status == 0
    again = cli("package", report, "--format", "source", "-o", "x.cloacina", "--force")
    assert again.status == 0
    assert cli("verify", "x.cloacina").status == 0


def test_a_signature_that_is_there_is_not_replaced_unasked(cli, report, tmp_path):
    cli("key", "generate")
    (tmp_path / "x.cloacina.sig").write_text("mine")
    refusal = cli("package", report, "--format", "source", "-o", "x.cloacina")
    assert refusal.status == 8
    assert not (tmp_path / "x.cloacina").exists()
    unsigned = cli("package", report, "--format", "source", "-o", "x.cloacina", "--no-sign")
    assert "signs another file" in unsigned.err


def test_a_sidecar_has_room_for_one_key(cli, report):
    cli("key", "generate")
    cli("key", "generate", "second")
    words = ("--sign", "default", "--sign", "second")
    assert refused(cli, report, "--format", "source", *words, status=2).codes == ["S011"]


@pytest.mark.parametrize(
    "words",
    [
        ("--format", "native", "--runtime", "0.10"),
        ("--format", "v1", "--runtime", "0.10"),
        ("--format", "source", "--runtime", "0.3"),
        ("--runtime", "0.13"),
        ("--pad",),
        ("--format", "v1", "--pad"),
        ("--format", "source", "--level", "9"),
    ],
)
def test_a_line_that_contradicts_itself_is_a_wrong_one(cli, report, words):
    assert refused(cli, report, *words, status=2).codes == ["U001"]


def test_a_python_project_is_nothing_for_the_first_runtimes(cli, report):
    answer = refused(cli, report, "--runtime", "0.3", status=6)
    assert answer.codes == ["B011"]


def test_a_file_that_changes_after_it_was_parsed_is_refused(cli, report, monkeypatch):
    from cloacina_ctl.formats.legacy import write_source

    source = report / "src" / "daily_report" / "tasks.py"
    text = source.read_text()

    class Rewriting(write_source.StagedFile):
        def __enter__(self):
            source.write_text(text.replace("read_orders", "read_0rders"))
            return super().__enter__()

    monkeypatch.setattr(write_source, "StagedFile", Rewriting)
    assert refused(cli, report, "--format", "source", status=8).codes == ["P010"]


def test_the_stream_is_one_that_stock_tools_take(cli, report, tmp_path):
    cli("package", report, "--format", "source", "-o", "x.cloacina")
    data = (tmp_path / "x.cloacina").read_bytes()
    assert data == bz2.compress(bz2.decompress(data), 9)


def test_dependencies_are_vendored_beside_the_code(cli, tmp_path, monkeypatch):
    from tests.support.wheels import wheel
    from tests.vendoring.projects import lock, project

    monkeypatch.setenv("CLOACINA_CTL_CACHE_DIR", str(tmp_path / "cache"))
    house = tmp_path / "house"
    house.mkdir()
    root = project(tmp_path, '["one"]')
    lock(root, wheel(house, "one"))
    line = ("package", root, "--format", "source", "--vendor", "--wheelhouse", house)
    made = cli(*line, "-o", "x.cloacina")
    assert made.status == 0, made.err
    assert "vendor/one/__init__.py" in members(tmp_path / "x.cloacina")


GRAPH = """import cloaca


@cloaca.reactor(name="on_price", accumulators=["price"], mode="when_any")
class OnPrice:
    pass


with cloaca.ComputationGraphBuilder("signals", reactor=OnPrice, graph={"judge": {}}):

    @cloaca.node
    def judge(price):
        return price
"""


@pytest.fixture
def graph(tmp_path):
    """A project with a computation graph and no task."""
    folder = tmp_path / "graph"
    (folder / "workflow" / "prices").mkdir(parents=True)
    (folder / "workflow" / "prices" / "__init__.py").write_text("")
    (folder / "workflow" / "prices" / "signals.py").write_text(GRAPH)
    (folder / "package.toml").write_text(
        '[package]\nname = "prices"\nversion = "1.0.0"\n\n[metadata]\nlanguage = "python"\n'
        'graph_name = "signals"\nentry_module = "prices.signals"\n'
    )
    return folder


def test_a_graph_without_tasks_is_packed_for_those_who_run_graphs(cli, graph, tmp_path):
    assert cli("validate", graph).status == 0
    assert cli("package", graph, "--format", "source", "-o", "x.cloacina").status == 0
    metadata = package_toml(tmp_path / "x.cloacina")["metadata"]
    assert metadata["graph_name"] == "signals"
    assert "workflow_name" not in metadata
    assert cli("validate", "x.cloacina").status == 0


def test_a_graph_without_tasks_is_no_native_package(cli, graph, tmp_path):
    told = cli("package", graph, "-o", "x.cloacina")
    assert told.status == 3
    assert "M009" in told.err
    assert "--format source" in told.err
    assert not (tmp_path / "x.cloacina").exists()
