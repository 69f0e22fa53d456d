"""Small workspaces whose members say which checkout they are of, and building them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import BuildFailed
from cloacina_ctl.project.build.cargo import BuiltCrate, build
from cloacina_ctl.project.model import BuildOptions
from cloacina_ctl.project.rust.cargo_toml import read_crate
from tests.support.trees import plant

if TYPE_CHECKING:
    from pathlib import Path

PACKAGE = '[package]\nname = "{}"\nversion = "0.1.0"\nedition = "2021"\n'
ROOT = (
    PACKAGE.format("flow")
    + '[lib]\ncrate-type = ["cdylib"]\n[workspace]\nmembers = ["util", "made", "mac"]\n'
    + "".join(f'[dependencies.{name}]\npath = "{name}"\n' for name in ("util", "made", "mac"))
)
LIB = """
#[no_mangle] pub extern "C" fn say() -> usize {
    [util::SAID, made::SAID, mac::said!(), file!(), util::place()].iter().map(|s| {
        println!("{s}"); s.len() }).sum() }
"""
BUILD = """fn main() { let out = std::env::var("OUT_DIR").unwrap() + "/made.rs";
std::fs::write(out, "pub const SAID: &str = \\"made of WHO\\";").unwrap(); }"""
MACRO = """extern crate proc_macro;
#[proc_macro] pub fn said(_: proc_macro::TokenStream) -> proc_macro::TokenStream {
"\\"macro of WHO\\"".parse().unwrap() }"""
UTIL = """pub const SAID: &str = "util of WHO";
pub fn place() -> &'static str { if std::env::args().count() > 99 { panic!("no") }; file!() }"""


def checkout(root: Path, who: str, when: int | None = None, **more: str) -> Path:
    """Plant a workspace that says ``who``; ``when`` is the time of its files."""
    plant(
        root,
        {
            "Cargo.toml": ROOT,
            "src/lib.rs": LIB,
            "util/Cargo.toml": PACKAGE.format("util"),
            "util/src/lib.rs": UTIL.replace("WHO", who),
            "made/Cargo.toml": PACKAGE.format("made"),
            "made/build.rs": BUILD.replace("WHO", who),
            "made/src/lib.rs": 'include!(concat!(env!("OUT_DIR"), "/made.rs"));',
            "mac/Cargo.toml": PACKAGE.format("mac") + "[lib]\nproc-macro = true\n",
            "mac/src/lib.rs": MACRO.replace("WHO", who),
            **more,
        },
    )
    if when is not None:
        date(root, when)
    return root


def date(root: Path, when: int) -> None:
    """Give all files and folders an old date, as unpacking and copying do."""
    for folder, _, names in os.walk(root, topdown=False):
        for name in names:
            os.utime(os.path.join(folder, name), (when, when))
        os.utime(folder, (when, when))


def built_at(root: Path, options: BuildOptions | None = None) -> BuiltCrate:
    """Build the crate there and show what cargo said where that fails."""
    said: list[str] = []
    try:
        return build(read_crate(str(root)), options or BuildOptions(profile="dev"), said.append)
    except BuildFailed:
        print("\n".join(said))  # noqa: T201 - what cargo said, for whoever reads the failure
        raise


def content(built: BuiltCrate) -> bytes:
    """Return the library that was built."""
    with open(built.library, "rb") as file:
        return file.read()


def says(built: BuiltCrate) -> set[str]:
    """Return whose text each part of the library holds."""
    data = content(built)
    parts = ("util", "made", "macro")
    whose = ("a", "b", "c")
    return {f"{part} of {who}" for part in parts for who in whose
            if f"{part} of {who}".encode() in data}  # fmt: skip
