"""The start of the child process: ``python -I -S host``.

In isolated mode neither this package nor any other is on the path. This package is added while the
host's own modules are imported, and removed before the package's code runs.
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
