"""Is what is stored what was written, and what to do where it is not: ``igtool verify``.

- ``origins``: of each table whether it is kept as it came, typed by people, or made from others.
- ``references``: which rows must have which others.
- ``catalog``, ``files``: the catalog of the lake, and data files held against it and against their SHA-256.
- ``checking``: everything that is looked at. ``repair``: what is made anew, and what is lost.
"""
