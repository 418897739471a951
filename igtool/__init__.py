"""igtool: a creator database on your own disk."""

__version__ = "0.1.0"
