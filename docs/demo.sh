#!/bin/sh
# The main job on real projects: what `make demo` runs. Works in ./demo, with keys of its own there.
set -eu
here=$(pwd)
rm -rf demo
mkdir demo
export CLOACINA_CTL_CONFIG_DIR="$here/demo/config"
unset CLOACINA_CTL_SIGNING_KEY || true

say() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }
[ -t 1 ] || say() { printf '\n$ %s\n' "$*"; "$@"; }

tour() { # name-of-package project unpack-folder [options of package]
  package=$1 project=$2 folder=$3
  shift 3
  say cloacina-ctl package "$project" -o "$package" "$@"
  say cloacina-ctl inspect "$package"
  say cloacina-ctl validate "$package"
  say cloacina-ctl verify "$package"
  say cloacina-ctl unpack "$package" -o "$folder"
  say ls "$folder"
}

say cloacina-ctl key generate
say cloacina-ctl validate fixtures/python_report
tour demo/report.cloacina fixtures/python_report demo/report
say cloacina-ctl run demo/report.cloacina --plan
say cloacina-ctl run demo/report.cloacina --context '{"text": "17, AT, 1250\n18, DE, 99"}'

if cargo --version >/dev/null 2>&1; then
  echo
  echo "cargo is here: now a Rust crate (the first build of its dependencies takes about a minute)"
  CARGO_TARGET_DIR="$here/demo/target" && export CARGO_TARGET_DIR
  tour demo/etl.cloacina fixtures/rust_etl demo/etl --locked
  say cloacina-ctl run demo/etl.cloacina
else
  echo
  echo "cargo is not installed or not set up, so the Rust project is left out (https://rustup.rs)"
fi
echo
echo "all of it lies in ./demo"
