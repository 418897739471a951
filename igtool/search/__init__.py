"""Filters and free text in, ranked creators with reasons out.

``filters`` is cheap to import. ``build`` and ``query`` load numpy, faiss and tantivy, so import them where they
are used.
"""
