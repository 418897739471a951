"""The invented people that come with igtool: a creator list, and what platforms would answer for it."""

from __future__ import annotations

import shutil
from pathlib import Path

from igtool.errors import UsageError
from igtool.files import storage_error

_SHIPPED = Path(__file__).with_name("demo_data")
_LIST = "creators.csv"
_SETTINGS = """\
# Settings of the demo. `igtool config show` lists all there are.
embedding_items = 5  # posts of an account that are read for what it is about; 20 by default, here fewer to be quick
"""


def copy_example(folder: Path) -> Path:
    """The path of the list in ``folder``, where list, answers (``raw/``) and settings are copied to.

    Raises UsageError where anything but an earlier copy lies there, StorageError.
    """
    here = folder / _LIST
    try:
        content = (_SHIPPED / _LIST).read_bytes()
        is_earlier = here.is_file() and here.read_bytes() == content
        if folder.exists() and not is_earlier and any(folder.iterdir()):
            raise UsageError(f"{folder} is not empty: name a new folder, `igtool demo DIR`")
        folder.mkdir(parents=True, exist_ok=True)
        if not is_earlier:
            shutil.copytree(_SHIPPED / "raw", folder / "raw", dirs_exist_ok=True)
            (folder / "igtool.toml").write_text(_SETTINGS, encoding="utf-8")
            here.write_bytes(content)  # last: a copy that broke off is not taken for a whole one
    except OSError as error:
        raise storage_error(error, folder) from error
    return here
