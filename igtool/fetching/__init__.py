"""Asking live platforms politely, for a night, without anybody watching.

- ``paging``: where a job stands between two pages.
- ``worker``: one source's loop: claim, ask, judge, record.
- ``plan``: which accounts to ask for, and what that will take.
- ``run``: the workers of all sources, and the way of their answers into the lake.
"""
