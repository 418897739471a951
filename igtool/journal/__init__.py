"""The journal: what is under way and what is known about files, in SQLite. Only this package touches it.

- ``store``: the file itself, who may write, imported files, finished stages, checksums of lake files.
- ``queue``: what is to be asked, under which lease, and how it ended.
- ``models``: every call to a language model with what it cost, and answers until they are in the lake.
- ``conversations``: those that were accepted, with what they say, until they are in the lake.
- ``forgetting``: whom it takes to forget still, and what of them waits here.
- ``tenants``, ``said``, ``audit``: who may ask the server, what they changed through it, and the log of both.
- ``migrations``: its versions. ``sqlite_files``: it and the catalog of the lake as files, sealed against damage.
- ``ledger``: every request with what it cost, the pace of each source, and answers until they are in the lake.
"""

from igtool.journal.sqlite_files import compact
from igtool.journal.store import Journal, LakeFile

__all__ = ["Journal", "LakeFile", "compact"]
