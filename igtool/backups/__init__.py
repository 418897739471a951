"""Copies of a workspace elsewhere, made while it is in use, and put back.

A backup is a folder::

    igtool-backup.json      what is in it: every file with its size and SHA-256, when it was made, what was left out
    files/ab/abcd…          the files, each once, named by their SHA-256

The manifest is written last and replaced as a whole, so that a killed backup leaves the one before as it was.

- ``manifest``: reading, writing and checking that. ``making``: ``igtool backup``. ``restoring``: ``igtool restore``.
"""
