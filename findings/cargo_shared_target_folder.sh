#!/bin/sh
# cargo 1.95.0: with one target folder for two checkouts of a workspace (CARGO_TARGET_DIR, or
# build.target-dir in ~/.cargo/config.toml), the second build gets what was compiled of the first,
# if its files are older than that. Cargo says "fresh", names the second checkout in its JSON
# messages and in the .d file, and links the first one's code, a build script's output included.
# Expected by most: that the units of another folder are other units.
#
# Uses no package but cargo and rustc. Exits non-zero where that changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo --version
for who in first second; do
    root=$work/$who
    mkdir -p "$root/src" "$root/util/src"
    cat > "$root/Cargo.toml" <<END
[package]
name = "flow"
version = "0.1.0"
edition = "2021"
[workspace]
members = ["util"]
[dependencies]
util = { path = "util" }
END
    echo 'fn main() { println!("{} {}", util::SAID, util::MADE); }' > "$root/src/main.rs"
    cat > "$root/util/Cargo.toml" <<END
[package]
name = "util"
version = "0.1.0"
edition = "2021"
END
    cat > "$root/util/src/lib.rs" <<END
pub const SAID: &str = "library of the $who";
pub const MADE: &str = env!("MADE");
END
    cat > "$root/util/build.rs" <<END
fn main() { println!("cargo:rustc-env=MADE=build script of the $who"); }
END
    find "$root" -exec touch -d 2020-01-01 {} +
done
export CARGO_TARGET_DIR=$work/shared
unset RUSTFLAGS CARGO_ENCODED_RUSTFLAGS 2>/dev/null || :
(cd "$work/first" && cargo run -q)
said=$(cd "$work/second" && cargo run -q)
echo "the second says: $said"
cd "$work/second"
cargo build --message-format=json 2>/dev/null | grep -o '"src_path":"[^"]*"\|"fresh":[a-z]*' | paste - -
test "$said" = "library of the first build script of the first"
cargo build --message-format=json 2>/dev/null | grep -q "second/util/src/lib.rs.*\"fresh\":true"
! grep -q "$work/first" "$work/shared/debug/flow.d" || exit 1
echo "seen: the second checkout runs the first one's code"
