"""The server: the JSON API over the lake and the index that the command line builds.

``app`` puts it together, ``guarding`` stands before every route, ``errors`` says what a refusal looks like, ``readers``
and ``desk`` make lake and index safe for many threads, ``metrics`` and ``standing`` count. A family of routes is a file
of ``api/``: functions without ``async``, which run in threads.
"""
