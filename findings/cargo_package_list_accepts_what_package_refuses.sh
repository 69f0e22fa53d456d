#!/bin/sh
# cargo 1.95.0: `cargo package --list` exits 0 and lists the files of a crate that `cargo package`
# and `cargo package --no-verify` refuse (exit 101) for a rule of the manifest: a path dependency
# without a version. It also makes the folder target/, and lists two files that are not there
# (Cargo.toml.orig, Cargo.lock).
# Expected by most: that the list fails where the package would, and that listing writes nothing.
#
# Uses no package but cargo. Exits non-zero where that changes.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR 2>/dev/null || :
cargo --version
for crate in app util; do
    mkdir -p "$work/$crate/src"
    touch "$work/$crate/src/lib.rs"
    printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2021"\n' "$crate" \
        > "$work/$crate/Cargo.toml"
done
printf '[dependencies]\nutil = { path = "../util" }\n' >> "$work/app/Cargo.toml"
cd "$work/app"
listed=$(cargo package --list --offline 2>/dev/null)
echo "$listed" | sed 's/^/listed: /'
echo "$listed" | grep -qx Cargo.toml.orig
echo "$listed" | grep -qx Cargo.lock
test ! -e Cargo.toml.orig
test ! -e Cargo.lock
test -d target
status=0
cargo package --no-verify --offline 2> said || status=$?
grep 'version requirement' said
test "$status" -eq 101
echo "seen: the list of a package that is refused, and a target folder made by listing"
