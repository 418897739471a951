"""What igtool knows about platforms: where answers come from, and how a payload becomes rows.

- ``files``: folders, files and archives of raw dumps as documents.
- ``base``: a document recognised by its structure and made into rows.
- ``shapes``: one file a family of payloads; a new one is found by being there.
"""
