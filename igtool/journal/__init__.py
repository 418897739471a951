"""The journal: what is under way and what is known about files, in SQLite. Only this package touches it.

- ``store``: the file itself, who may write, imported files, finished stages, checksums of lake files.
- ``queue``: what is to be asked, under which lease, and how it ended.
- ``models``: every call to a language model with what it cost, and answers until they are in the lake.
- ``conversations``: those that were accepted, with what they say, until they are in the lake.
- ``ledger``: every request with what it cost, the pace of each source, and answers until they are in the lake.
"""

from igtool.journal.store import Journal, LakeFile, compact

__all__ = ["Journal", "LakeFile", "compact"]
