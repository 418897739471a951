"""A picture that a user gives to find others like it: its vector, if it is not of a face."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from igtool.errors import UsageError
from igtool.files import read_whole
from igtool.settings import Settings
from igtool.tagging.vectors import SIDE
from igtool.vision.kinds import NotAPicture
from igtool.vision.looking import Eyes
from igtool.vision.pictures import read_picture
from igtool.vision.tower import Tower


def style_of(path: Path, settings: Settings, told: Callable[[str], None]) -> tuple[NDArray[np.float32], str]:
    """The vector of the picture file ``path``, and the model that made it.

    Raises UsageError for what is no picture, or one that a face fills: igtool compares styles, and never faces;
    ConfigError naming the commands that get missing models; StorageError.
    """
    try:
        pixels = read_picture(read_whole(path, settings.picture_max_mb), at_most=SIDE).pixels
    except NotAPicture as error:
        raise UsageError(f"{path} cannot be used as a picture: {error}") from error
    models = settings.workspace / "models"
    tower = Tower.open(models, device=settings.picture_device, threads=settings.processes)
    eyes = Eyes(models, device=settings.picture_device, threads=settings.processes)
    for fallback in (tower.fallback, eyes.fallback):
        if fallback:
            told(fallback)
    (look,) = eyes.look([pixels], [False])
    if look.facts.framing == "close_up":
        raise UsageError(f"a face fills {path}: igtool finds pictures alike in style, and compares no faces")
    return tower.encode([pixels])[0], tower.model
