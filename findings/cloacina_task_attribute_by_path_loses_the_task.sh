#!/bin/sh
# cloacina-workflow 0.11.1, rustc 1.95.0: `#[workflow]` looks for tasks by the one word `task`. A task
# marked by its path (`#[cloacina_workflow::task(…)]`), through an import under another name
# (`use cloacina_workflow::task as step;`) or in a `cfg_attr` compiles without a warning, and is not
# in the workflow: no host will ever run it. One task spelled the plain way is enough for silence.
# Expected by most: that a path to an attribute is the attribute, as it is for `#[tokio::test]`.
#
# Downloads crates from crates.io. Exits non-zero where that changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rustc --version
mkdir "$work/src"
cat > "$work/Cargo.toml" <<END
[package]
name = "orders"
version = "0.1.0"
edition = "2021"
[features]
default = ["packaged"]
packaged = []
[dependencies]
cloacina-workflow = "=0.11.1"
cloacina-workflow-plugin = "=0.11.1"
serde_json = "1"
[profile.dev]
debug = false
END
cat > "$work/src/main.rs" <<END
use cloacina_workflow::{task, task as step, workflow, Context, TaskError};
use cloacina_workflow_plugin::{inventory, TaskEntry};
use serde_json::Value;

#[workflow(name = "orders")]
pub mod orders {
    use super::*;
    #[task(id = "plain")]
    pub async fn plain(context: &mut Context<Value>) -> Result<(), TaskError> { let _ = context; Ok(()) }
    #[cloacina_workflow::task(id = "by_path")]
    pub async fn by_path(context: &mut Context<Value>) -> Result<(), TaskError> { let _ = context; Ok(()) }
    #[step(id = "renamed")]
    pub async fn renamed(context: &mut Context<Value>) -> Result<(), TaskError> { let _ = context; Ok(()) }
    #[cfg_attr(all(), task(id = "behind_cfg"))]
    pub async fn behind_cfg(context: &mut Context<Value>) -> Result<(), TaskError> { let _ = context; Ok(()) }
}

fn main() {
    for entry in inventory::iter::<TaskEntry> {
        println!("{}", (entry.namespace)().task_id);
    }
}
END
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS 2>/dev/null || :
export CARGO_TARGET_DIR="$work/target"
cd "$work"
cargo build --quiet 2> warnings.txt
echo "warnings of the build: $(grep -c '^warning' warnings.txt || :)"
tasks=$(./target/debug/orders)
echo "tasks in the workflow: $tasks"
! grep -q '^warning' warnings.txt || exit 1
test "$tasks" = plain
echo "seen: three of four tasks are not in the workflow, and nothing says so"
