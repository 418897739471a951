"""Conversations in, what they say out: sentiment, topics, and why.

- ``analyzing``: from Python, at once.
- ``checking``: what may be given and asked, and what is said of the rest.
- ``intake``, ``reading``, ``reception``: what a server does with them, over both stores.
- ``worker``: reads what was accepted.
- ``files``, ``sending``: whole files of them, to here or to a server.
"""
