"""`publish` against the real server, its compiler and its database: nothing here is made up."""

from __future__ import annotations

import subprocess

import pytest

from tests.foreign import archives
from tests.publish import real
from tests.publish.conftest import source
from tests.tools import need

pytestmark = [pytest.mark.slow, pytest.mark.server]

CRATE = {
    "package.toml": b"""\
[package]
name = "crate-demo"
version = "1.0.0"
interface = "cloacina-workflow-plugin"
interface_version = 1
extension = "cloacina"

[metadata]
language = "rust"
workflow_name = "crate_demo"
""",
    "Cargo.toml": b"""\
[package]
name = "crate-demo"
version = "1.0.0"
edition = "2021"

[workspace]

[lib]
crate-type = ["cdylib"]

[features]
default = ["packaged"]
packaged = []

[dependencies]
cloacina-workflow = { version = "0.12", features = ["packaged", "macros"] }
cloacina-workflow-plugin = "0.12"
serde_json = "1"
""",
    # Not that of these dependencies: the build fails at once.
    "Cargo.lock": b'version = 4\n\n[[package]]\nname = "crate-demo"\nversion = "1.0.0"\n',
    "src/lib.rs": b"""\
use cloacina_workflow::{task, workflow, Context, TaskError};

cloacina_workflow_plugin::package!();

#[workflow(name = "crate_demo")]
pub mod crate_demo {
    use super::*;

    #[task(id = "only")]
    pub async fn only(context: &mut Context<serde_json::Value>) -> Result<(), TaskError> {
        Ok(())
    }
}
""",
}


@pytest.fixture(scope="module")
def server():
    with real.RealServer() as found:
        yield found


@pytest.fixture
def publish(run, tmp_path, server):
    """Publish bytes to the real server, with more words; `json` of what it says."""
    token = tmp_path / "token"
    token.write_text(real.WRITE)
    token.chmod(0o600)

    def command(data, *words):
        path = tmp_path / "x.cloacina"
        path.write_bytes(data)
        rest = () if "--token-file" in words else ("--token-file", token)
        rest += () if "--tenant" in words else ("--tenant", real.TENANT)
        return run(
            "publish", path, "--allow-unsigned", "--json", "--server", server.url, *rest, *words
        )

    return command


def test_the_whole_cycle_of_a_python_package(publish):
    first = publish(source(), "--run", "--context", '{"day": "2026-11-20"}')
    assert first.status == 0
    result = first.json["result"]
    assert (result["status"], result["workflow"]) == ("loaded", "demo")
    assert sorted(result["tasks"]) == ["extract", "load"]
    assert result["run"]["status"] == "Completed"
    assert {(one["name"], one["status"]) for one in result["run"]["tasks"]} == {
        ("extract", "Completed"), ("load", "Completed"),
    }  # fmt: skip
    again = publish(source())
    assert again.json["result"]["package_id"] == result["package_id"]
    other = publish(source(**{"workflow/demo/more.py": b"MORE = 1\n"}))
    assert (other.status, other.codes) == (7, ["N011"])
    later = publish(source("1.1.0"))
    assert later.json["result"]["package_id"] != result["package_id"]
    older = publish(source())
    assert (older.status, older.codes) == (7, ["N011"])


def test_a_run_that_fails_says_which_task_and_why(publish):
    toml = archives.PACKAGE_TOML.replace(b'"demo"', b'"failing"', 1)
    toml = toml.replace(b'workflow_name = "demo"', b'workflow_name = "failing"')
    code = b'import cloaca\n\n\n@cloaca.task(id="only", retry_attempts=1)\ndef only(context):\n'
    code += b'    raise ValueError("no orders today")\n'
    done = publish(
        source(**{"package.toml": toml, "workflow/demo/tasks.py": code}), "--run", "--wait", "60"
    )
    assert (done.status, done.codes) == (1, ["N016"])
    assert done.json["result"]["run"]["tasks"][0]["status"] == "Failed"


def test_what_is_built_and_never_loaded_is_no_success(publish):
    toml = archives.PACKAGE_TOML.replace(b'"demo"', b'"unloadable"', 1)
    code = b"import a_module_that_is_nowhere\n" + archives.TASKS_PY
    data = source(**{"package.toml": toml, "workflow/demo/tasks.py": code})
    done = publish(data, "--wait", "8")
    assert (done.status, done.codes) == (7, ["N014"])


def test_a_crate_that_does_not_build_gives_the_compilers_words(publish):
    data = archives.bz2(archives.source_tar(CRATE, "crate-demo-1.0.0"))
    done = publish(data)
    assert (done.status, done.codes) == (5, ["N012"])
    assert "the server's compiler says:" in done.err
    again = publish(data)
    assert (again.status, again.codes) == (5, ["N012"])


def test_the_whole_cycle_of_a_crate(publish, server, tmp_path):
    """The compiler builds offline, with the crates that cargo's own cache has after one fetch."""
    folder = tmp_path / "crate"
    # 0.12 loads what is written for 0.11, which asks for no newer rustc than there is everywhere.
    old = {"Cargo.toml": CRATE["Cargo.toml"].replace(b'"0.12"', b'"0.11"')}
    for path, data in {**CRATE, **old}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    (folder / "Cargo.lock").unlink()
    subprocess.run([need("cargo"), "fetch", "--quiet"], cwd=folder, check=True)
    files = {path: (folder / path).read_bytes() for path in CRATE}
    files = {
        path: data.replace(b"1.0.0", b"1.0.1", 1) if path.endswith("toml") else data
        for path, data in files.items()
    }
    files["Cargo.lock"] = files["Cargo.lock"].replace(
        b'name = "crate-demo"\nversion = "1.0.0"', b'name = "crate-demo"\nversion = "1.0.1"'
    )
    done = publish(archives.bz2(archives.source_tar(files, "crate-demo-1.0.1")), "--run")
    assert done.status == 0, server.log()[-4000:]
    assert done.json["result"]["tasks"] == ["only"]
    assert done.json["result"]["run"]["status"] == "Completed"


def test_who_is_not_allowed_is_told_so(publish, tmp_path):
    token = tmp_path / "other"
    for text, code in (("clk_nobody", "401"), (real.READ, "403")):
        token.write_text(text)
        done = publish(source("9.0.0"), "--token-file", token)
        assert (done.status, done.codes) == (4, ["N007"])
        assert code in done.json["diagnostics"][0]["message"]
        assert text not in done.out + done.err
    done = publish(source("9.0.0"), "--tenant", "elsewhere")
    assert (done.status, done.codes) == (4, ["N007"])
