"""A disk that forgets: what a power cut leaves of a folder, under the rules of POSIX.

Only what was synced is sure. Of a file, that is its content when it was last synced; of a folder,
the names it had then. Whatever else a disk may have kept is taken away, which is the worst case.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Image = dict[str, bytes | None]  # None: a folder


class Disk:
    """Watches ``os.fsync``, ``os.replace`` and ``os.rename`` below a folder.

    ``at`` is called before and after each of them.
    """

    def __init__(self, root: Path, at: Callable[[], None] = lambda: None) -> None:
        self.root, self.at, self.calls = root, at, 0
        self._files: dict[int, bytes] = {}
        self._folders: dict[int, dict[str, tuple[int, bool]]] = {}
        self._kept: list[int] = []  # no number of an inode is used twice
        for path in [root, *root.rglob("*")]:
            handle = os.open(path, os.O_RDONLY)
            self._remember(handle)
            os.close(handle)

    def watch(self, patch: pytest.MonkeyPatch) -> Disk:
        """Replace the functions of ``os``."""
        for name in ("fsync", "replace", "rename"):
            patch.setattr(os, name, self._watched(name, getattr(os, name)))
        return self

    def close(self) -> None:
        """Let go of the files that were seen."""
        for handle in self._kept:
            os.close(handle)

    def _watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.calls += 1
            self.at()
            result = call(*args, **kwargs)
            if name == "fsync":
                self._remember(args[0])
            self.at()
            return result

        return watched

    def _remember(self, handle: int) -> None:
        about = os.fstat(handle)
        self._kept.append(os.dup(handle))
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        if path.is_dir():
            entries = list(os.scandir(path))
            self._folders[about.st_ino] = {e.name: (e.inode(), e.is_dir()) for e in entries}
        else:
            self._files[about.st_ino] = path.read_bytes()

    def image(self) -> Image:
        """Return what a power cut at this moment leaves, by path below the root."""
        found: Image = {}
        self._collect(os.stat(self.root).st_ino, "", found)
        return found

    def _collect(self, folder: int, prefix: str, found: Image) -> None:
        for name, (inode, is_folder) in self._folders.get(folder, {}).items():
            found[prefix + name] = None if is_folder else self._files.get(inode, b"")
            if is_folder:
                self._collect(inode, f"{prefix}{name}/", found)


def restored(image: Image, folder: Path) -> Path:
    """Write an image into a new folder."""
    folder.mkdir()
    for name, content in image.items():
        if content is None:
            (folder / name).mkdir()
        else:
            (folder / name).write_bytes(content)
    return folder
