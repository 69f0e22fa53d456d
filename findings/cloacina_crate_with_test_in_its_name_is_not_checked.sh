#!/bin/sh
# cloacina-workflow 0.11.1, rustc 1.95.0: `#[workflow]` refuses a dependency on a task that is not
# there, and a cycle. In a crate with "test" anywhere in its name (latest-orders, contest) it refuses
# neither, and the crate builds without a warning: the macro takes such a crate for a test of its own.
# Expected by most: that the name of a crate does not decide what is checked.
#
# Downloads crates from crates.io. Exits non-zero where that changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rustc --version
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS 2>/dev/null || :
export CARGO_TARGET_DIR="$work/target"
for name in orders latest-orders; do
    mkdir -p "$work/$name/src"
    cat > "$work/$name/Cargo.toml" <<END
[package]
name = "$name"
version = "0.1.0"
edition = "2021"
[features]
default = ["packaged"]
packaged = []
[dependencies]
cloacina-workflow = "=0.11.1"
cloacina-workflow-plugin = "=0.11.1"
serde_json = "1"
END
    cat > "$work/$name/src/lib.rs" <<END
use cloacina_workflow::{task, workflow, Context, TaskError};
use serde_json::Value;
cloacina_workflow_plugin::package!();

#[workflow(name = "orders")]
pub mod orders {
    use super::*;
    #[task(id = "report", dependencies = ["nobody"])]
    pub async fn report(context: &mut Context<Value>) -> Result<(), TaskError> { let _ = context; Ok(()) }
}
END
    if (cd "$work/$name" && cargo check --quiet) 2> "$work/$name.txt"; then
        echo "$name: builds"
    else
        echo "$name: $(grep -m1 '^error' "$work/$name.txt")"
    fi
done
grep -q "depends on undefined task 'nobody'" "$work/orders.txt"
test ! -s "$work/latest-orders.txt"
echo "seen: the same code is refused in orders, and builds in latest-orders"
