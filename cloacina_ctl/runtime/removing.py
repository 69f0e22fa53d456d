"""Removes what a package's code made of a folder: any depth, any names, any modes.

It imports nothing that takes time: the process that looks after the code uses it as well.
"""

from __future__ import annotations

import contextlib
import os


def remove_tree(folder: str) -> bool:
    """Remove a folder and all in it; return whether it is gone. Links are removed, not followed.

    Folders in it are moved up first, so that no path becomes longer than the system takes.
    """
    mark = os.path.join(folder, os.urandom(8).hex())
    waiting, moved = [folder], 0
    while waiting:
        place = waiting.pop()
        with contextlib.suppress(OSError):
            os.chmod(place, 0o700)
            for path, is_folder in _entries(place):
                moved += 1
                if is_folder:
                    waiting.append(_moved(path, f"{mark}-{moved}"))
                else:
                    with contextlib.suppress(OSError):
                        os.unlink(path)
            if place != folder:
                os.rmdir(place)
    with contextlib.suppress(OSError):
        os.rmdir(folder)
    return not os.path.lexists(folder)


def _entries(place: str) -> list[tuple[str, bool]]:
    with os.scandir(place) as entries:
        return [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]


def _moved(path: str, place: str) -> str:
    with contextlib.suppress(OSError):
        os.chmod(path, 0o700)  # without, it cannot be given another parent
        os.rename(path, place)
        return place
    return path
