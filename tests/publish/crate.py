"""A crate that a real server builds and runs."""

from __future__ import annotations

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
