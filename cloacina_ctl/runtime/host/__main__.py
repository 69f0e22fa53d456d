"""What the child process begins with: ``python -I -S host``.

Isolated mode leaves the path without this package and without any other. It is there while the
host's own modules are imported, and gone before the package's code runs.
"""

import os
import sys


def start() -> None:
    """Import the host and serve until the session ends."""
    root = os.path.abspath(__file__)
    for _ in range(4):
        root = os.path.dirname(root)
    sys.path.insert(0, root)
    from cloacina_ctl.runtime.host.serve import serve

    sys.path.remove(root)
    serve()


if __name__ == "__main__":
    start()
