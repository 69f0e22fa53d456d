"""A workflow with a table that compresses too well."""

import pathlib

import cloaca

# Read at import: engines remove the unpacked files once the tasks are registered.
_LINES = (pathlib.Path(__file__).parent / "zones.csv").read_text(encoding="utf-8").splitlines()


@cloaca.task(id="look_up")
def look_up(context):
    """Say the zone of a number."""
    context.set("zone", _LINES[context.get("number", 0)])
    context.set("lines", len(_LINES))
    return context
