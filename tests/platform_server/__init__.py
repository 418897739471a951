"""A scripted server on loopback that plays the four platforms, decently or not. Real sockets, invented people.

``PlatformServer()`` in a test, ``python -m tests.platform_server`` as a process of its own.
"""

from .behaviour import ANY, Behaviour, Expected
from .catalogue import BEHAVIOURS, EXPECTED
from .population import MOST_POSTS, NOW, Person, Population
from .real import answers_of, behaviours_of
from .server import PlatformServer, Record

__all__ = [
    "ANY",
    "BEHAVIOURS",
    "EXPECTED",
    "MOST_POSTS",
    "NOW",
    "Behaviour",
    "Expected",
    "Person",
    "PlatformServer",
    "Population",
    "Record",
    "answers_of",
    "behaviours_of",
]
