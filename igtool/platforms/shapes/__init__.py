"""One file a family of payloads. A file declares ``SHAPES``, ``FAILURES`` or both (``igtool.platforms.base``)."""
