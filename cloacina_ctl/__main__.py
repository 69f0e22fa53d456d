"""``python -m cloacina_ctl``, and the console script: the version at once, the rest by ``cli``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its status."""
    if sys.argv[1:] == ["--version"]:
        from cloacina_ctl import __version__

        sys.stdout.write(f"cloacina-ctl {__version__}\n")
        return
    from cloacina_ctl.cli.process import run_process

    run_process(sys.argv[1:])


if __name__ == "__main__":
    main()
