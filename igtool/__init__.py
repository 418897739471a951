"""igtool: a creator database on your own disk.

>>> import igtool
>>> workspace = igtool.open("my-creators")
>>> workspace.sql("select handle, followers_count from accounts order by 2 desc limit 5")  # doctest: +SKIP
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from igtool.workspace import Workspace

__version__ = "0.1.0"


def open(path: Path | str | None = None) -> Workspace:  # noqa: A001 - igtool.open reads best
    """The workspace in ``path`` (default: ``IGTOOL_WORKSPACE``, else the current folder); nothing is read or made yet.

    It has ``.enrich`` (the main job), ``.search``, ``.show``, ``.sql`` and ``.table`` (Arrow tables), ``.tags``,
    ``.forget`` and ``.analyze_conversations``; a program and the command line may use one workspace in turn. Raises
    ConfigError for settings that do not fit. Everything that igtool raises on purpose is in `igtool.errors`.
    """
    from igtool.workspace import open_workspace

    return open_workspace(path)
