#!/bin/sh
# cloacina-compiler 0.12.0, cloacina-workflow 0.12.0, cargo 1.95.0: before the server's compiler builds
# a crate it completes a minimal Cargo.toml, with "the `packaged` feature the macro expansions cfg
# on". It declares the feature, does not put it among the default ones, and runs cargo without
# --features: the feature stays off, and the crate does not compile, for the macros then write code
# that names the crate `cloacina` (E0433). With `default = ["packaged"]` the same crate compiles.
# Expected by most: that a feature which a compiler adds for its build is on in that build.
#
# The function that completes the file is taken from the published source and run as it is.
# Downloads crates from crates.io. Exits non-zero where that changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS 2>/dev/null || :
export CARGO_TARGET_DIR="$work/target"
cargo --version
mkdir -p "$work/wiring/src" "$work/crate/src"

cd "$work"
cargo info --quiet cloacina-compiler@0.12.0 > /dev/null 2>&1
from=$(echo "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/cloacina-compiler-0.12.0/src)
flags=$(sed -n '/let cargo_flags = if/,/^    };/p' "$from/main.rs" | grep -o '"[^"]*"' | tr -d '"')
echo "cargo is run with:" $flags
test "$(echo $flags)" = "build --release --lib --frozen --offline"

cat > wiring/Cargo.toml <<END
[package]
name = "wiring"
version = "0.1.0"
edition = "2021"
[dependencies]
toml = "1"
tracing = "0.1"
END
{
    echo 'use std::path::Path;'
    sed -n '/^fn ensure_build_wiring/,/^}/p' "$from/build.rs"
    echo 'fn main() { ensure_build_wiring(Path::new(&std::env::args().nth(1).unwrap())); }'
} > wiring/src/main.rs
cat > crate/Cargo.toml <<END
[package]
name = "flow"
version = "1.0.0"
edition = "2021"
[dependencies]
async-trait = "0.1"
chrono = "0.4"
serde_json = "1"
cloacina-workflow = { version = "=0.12.0", features = ["packaged"] }
cloacina-workflow-plugin = "=0.12.0"
[profile.dev]
debug = false
END
cat > crate/src/lib.rs <<END
use cloacina_workflow::{task, workflow, Context, TaskError};
cloacina_workflow_plugin::package!();
#[workflow(name = "flow")]
pub mod flow {
    use super::*;
    #[task(id = "load", dependencies = [])]
    pub async fn load(context: &mut Context<serde_json::Value>) -> Result<(), TaskError> {
        let _ = context;
        Ok(())
    }
}
END
cargo run --quiet --manifest-path wiring/Cargo.toml -- "$work/crate"
echo "of a Cargo.toml without [features] it makes:"
sed -n '/^\[features\]/,/^$/p' crate/Cargo.toml
test "$(sed -n '/^\[features\]/,/^$/p' crate/Cargo.toml)" = "$(printf '[features]\npackaged = []')"

build() { cargo build --lib --quiet --ignore-rust-version --manifest-path crate/Cargo.toml; }
if build 2> said.txt; then exit 1; fi
grep -m 1 '^error' said.txt
grep -q '^error\[E0433\].*`cloacina`' said.txt
sed -i 's/^packaged = \[\]/default = ["packaged"]\npackaged = []/' crate/Cargo.toml
build
test -f target/debug/libflow.so
echo "seen: the feature is declared and off; with it on by default the crate compiles"
