"""What the child process begins with: ``python -I -S child.py``.

Isolated mode leaves the path without this package and without any other. It is there while the
host's own modules are imported, and gone before the package's code runs.
"""

import os
import sys


def start() -> None:
    """Import the host and serve until the session ends."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    sys.path.insert(0, root)
    from cloacina_ctl.runtime.child_serving import serve

    sys.path.remove(root)
    serve()


if __name__ == "__main__":
    start()
