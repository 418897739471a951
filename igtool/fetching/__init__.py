"""Asking live platforms politely, for a night, without anybody watching.

- ``sources``: what the user named, and how far and fast the settings let it go.
- ``paging``: where a job stands between two pages.
- ``worker``: one source's loop: claim, ask, wait, try again.
- ``recorder``: what follows from an answer.
- ``plan``: which accounts to ask for, and what that will take.
- ``run``: the workers of all sources, and the way of their answers into the lake (``keeping``).
- ``status``, ``probe``: how it stands, for people and alerts.
"""
