"""People who were forgotten: how they are named in texts and answers, and how what names them is kept out.

- ``naming``: the names of a person, and texts and JSON documents without them.
- ``answers``: raw answers without a person.
- ``tombstones``: keyed hashes of the names of forgotten people, and answers held to them as they come.
"""
