"""A scripted server on loopback that plays OpenAI (and what speaks like it) and the Gemini API, decently or not.

``LlmServer()`` in a test, ``python -m tests.llm_server`` as a process of its own. Real sockets, invented answers.
"""

from .asks import Ask, prompt_id
from .instances import instance
from .server import KEY, LlmServer, Options, Record

__all__ = ["KEY", "Ask", "LlmServer", "Options", "Record", "instance", "prompt_id"]
