"""Write the transcripts and the list of public names again: `python -m tests.outside [NAME]...`."""

from __future__ import annotations

import sys

from tests.outside.public_names import PAGE, public_names
from tests.outside.transcripts import FOLDER, HERE, WRITTEN_WITH, played

if HERE != WRITTEN_WITH:
    sys.exit(f"this is {HERE}, and the transcripts are of {WRITTEN_WITH}: change WRITTEN_WITH")
for path in sorted(FOLDER.glob("*.txt")):
    if not sys.argv[1:] or path.stem in sys.argv[1:]:
        path.write_text(played(path.read_text("utf-8")), "utf-8")
PAGE.write_text(public_names(), "utf-8")
