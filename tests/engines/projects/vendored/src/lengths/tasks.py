"""A workflow whose task needs a library that no engine has."""

import cloaca
import feet_and_metres


@cloaca.task(id="convert")
def convert(context):
    """Convert the lengths in the context to centimetres."""
    context.set(
        "centimetres", [feet_and_metres.centimetres(feet) for feet in context.get("feet", [])]
    )
    return context
