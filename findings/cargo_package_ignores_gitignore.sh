#!/bin/sh
# cargo 1.95.0, git 2.39: `cargo package` follows .gitignore only once git tracks the crate's
# Cargo.toml. In a repository whose Cargo.toml was not added yet, or is ignored itself, it packs the
# files that git ignores, and no warning says so. That other files of the crate are tracked does not
# help. Expected by most: that a repository around the crate is enough, as for `git status`, rg, fd.
#
# Uses no package but cargo and git. Exits non-zero where that changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cargo --version
git --version
mkdir "$work/crate" "$work/crate/src"
cd "$work/crate"
cat > Cargo.toml <<END
[package]
name = "flow"
version = "0.1.0"
edition = "2021"
description = "packs what git ignores"
license = "MIT"
repository = "https://example.org/flow.git"
[workspace]
END
echo 'pub const SAID: u8 = 1;' > src/lib.rs
echo 'notes.txt' > .gitignore
echo 'not for others' > notes.txt
git init -q
git add .gitignore src
test "$(git status --porcelain --ignored notes.txt)" = "!! notes.txt"
before=$(cargo package --list --allow-dirty 2>&1)
echo "Cargo.toml is not added:" $before
git add Cargo.toml
after=$(cargo package --list --allow-dirty 2>&1)
echo "Cargo.toml is added:    " $after
echo "$before" | grep -qx notes.txt
! echo "$before" | grep -qi warning || exit 1
! echo "$after" | grep -qx notes.txt || exit 1
echo "seen: an ignored file is packed until git tracks Cargo.toml"
