#!/bin/sh
# `cfg` inside of a module with #[workflow] does not do what it does everywhere else in Rust.
#
# An attribute macro on a module gets the text of the module as it is written: the compiler looks at
# #[cfg] and #[cfg_attr] of the items in it only in what the macro gives back. #[workflow] looks for
# `#[task]` in that text. So with a feature that is ON, a task in `#[cfg_attr(feature = "extra",
# task(…))]` compiles without a warning and is not in the workflow; and with the feature OFF, a task
# under `#[cfg(feature = "extra")]` is named by the macro all the same and the crate does not compile.
# On the module itself both attributes count.
#
# Needs cargo and the network. Ends with 1 if one of these is no longer so.
set -eu
release=0.12.0
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cargo --version
rustc --version
echo "cloacina-workflow $release"
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<TOML
[package]
name = "flows"
version = "0.1.0"
edition = "2021"

[lib]
crate-type = ["cdylib"]

[features]
default = ["packaged"]
packaged = []
extra = []

[dependencies]
cloacina-workflow = { version = "=$release", features = ["packaged", "macros"] }
cloacina-workflow-plugin = "=$release"
serde_json = "1"
TOML

# source MODULE-ATTRIBUTE TASK-ATTRIBUTE: a workflow with the task `always` and a second one.
source() {
    cat > "$folder/src/lib.rs" <<RUST
use cloacina_workflow::{task, workflow, Context, TaskError};
cloacina_workflow_plugin::package!();
$1
pub mod flow {
    use super::*;
    #[task(id = "always", dependencies = [])]
    pub async fn always(_context: &mut Context<serde_json::Value>) -> Result<(), TaskError> { Ok(()) }
    $2
    pub async fn sometimes(_context: &mut Context<serde_json::Value>) -> Result<(), TaskError> { Ok(()) }
}
RUST
}

# build FLAGS: what the compiler says; build.ok tells whether it succeeded.
build() {
    rm -f "$folder/build.ok"
    (cd "$folder" && cargo build --quiet --ignore-rust-version "$@" 2>&1 && : > build.ok) > "$folder/said" || true
}

# tasks: the ids in the graph that the macro wrote into the library.
tasks() {
    LC_ALL=C tr -c '[:print:]' '\n' < "$folder/target/debug/libflows.so" | grep -F '{"edges":[' \
        | grep -oE '"id":"(always|sometimes)"' | sort -u | tr '\n' ' '
}

workflow='#[workflow(name = "flow")]'
failed=0
check() { # check WHAT EXPECTED FOUND
    if [ "$2" = "$3" ]; then echo "as before: $1: $3"; else echo "CHANGED: $1: $3, not $2"; failed=1; fi
}

source "$workflow" '#[cfg_attr(feature = "extra", task(id = "sometimes", dependencies = []))]'
build --features extra
check "cfg_attr on a task, feature on: builds" yes "$([ -f "$folder/build.ok" ] && echo yes || echo no)"
check "  without a word about the task" no "$(grep -q sometimes "$folder/said" && echo yes || echo no)"
check "  tasks in the workflow" '"id":"always" ' "$(tasks)"

source "$workflow" '#[cfg(feature = "extra")] #[task(id = "sometimes", dependencies = [])]'
build --features extra
check "cfg on a task, feature on: tasks" '"id":"always" "id":"sometimes" ' "$(tasks)"
build
check "cfg on a task, feature off: builds" no "$([ -f "$folder/build.ok" ] && echo yes || echo no)"
grep -E '^error' "$folder/said" || failed=1

source '#[cfg_attr(feature = "extra", workflow(name = "flow"))]' '#[task(id = "sometimes", dependencies = [])]'
build --features extra
check "cfg_attr on the module, feature on: tasks" '"id":"always" "id":"sometimes" ' "$(tasks)"
exit "$failed"
