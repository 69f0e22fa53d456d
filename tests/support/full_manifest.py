"""A manifest with every field that the format has, for a Rust package."""

from __future__ import annotations

from tests.support.builder import PACKAGE_TOML, File, Json

TAG = "manylinux_2_17_x86_64"
LIBRARY = f"platform/{TAG}/libdemo.so"
CARGO_TOML = b'[package]\nname = "demo"\nversion = "1.0.0"\n'
FULL_FILES = (
    File("package.toml", PACKAGE_TOML.replace(b"python", b"rust")),
    File("source/Cargo.lock", b"version = 4\n"),
    File("source/Cargo.toml", CARGO_TOML),
    File("source/src/lib.rs", b"// a crate\n"),
    File(LIBRARY, b"\x7fELF not really\n"),
)


def full_manifest() -> Json:
    """Return the manifest without what the recipe adds."""
    return {
        "artifacts": [
            {
                "built_with": {
                    "profile": "release",
                    "rustc": "1.80.0",
                    "target": "x86_64-unknown-linux-gnu",
                },
                "interface": {
                    "abi": 1,
                    "hash": "0123456789abcdef",
                    "kind": "fidius",
                    "methods": ["describe", "run"],
                    "plugin": "demo",
                    "version": 1,
                    "wire": "bincode",
                },
                "kind": "cdylib",
                "libc": {"floor": "2.17", "name": "glibc"},
                "machine": "x86_64",
                "needed": ["libc.so.6"],
                "os": "linux",
                "path": LIBRARY,
                "platform": TAG,
            }
        ],
        "graphs": [
            {
                "accumulators": [{"config": {"topic": "x"}, "name": "in", "type": "stream"}],
                "edges": [{"from": "a", "to": "b"}],
                "input_strategy": "latest",
                "name": "prices",
                "nodes": ["a", "b"],
                "reaction_mode": "when_any",
            }
        ],
        "language": "rust",
        "package": {
            "authors": ["Zoe", "Adam"],
            "description": "A demo",
            "homepage": "https://example.org",
            "keywords": ["demo", "workflow"],
            "license": "Apache-2.0",
            "repository": "https://example.org/demo",
        },
        "requires": {"cloacina": ">=0.6"},
        "workflows": [
            {
                "author": "Zoe",
                "description": "One workflow",
                "fingerprint": "0123456789abcdef",
                "name": "demo",
                "params": [{"default": "3", "name": "count", "type": "u32"}],
                "tasks": [
                    {
                        "dependencies": [],
                        "description": "First",
                        "function": "extract",
                        "id": "extract",
                        "retry": {
                            "attempts": 3,
                            "backoff": "exponential",
                            "condition": "all",
                            "delay_ms": 100,
                            "jitter": True,
                            "max_delay_ms": 1000,
                        },
                        "source": "src/lib.rs:10",
                        "timeout_seconds": 60,
                        "trigger_rules": "all_success",
                    },
                    {"dependencies": ["extract"], "id": "load"},
                ],
                "triggers": [
                    {
                        "allow_concurrent": True,
                        "cron": "0 * * * *",
                        "kind": "cron",
                        "name": "hourly",
                        "timezone": "UTC",
                    }
                ],
            }
        ],
    }
