"""What exit codes, errors and slugs mean and what to do about them: for ``igtool explain`` and its reference page."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from igtool.errors import IgtoolError, Interrupted, UsageError
from igtool.report import texts

CODE, ERROR, REJECT, ODD, STATUS, RULE = (
    "exit code", "error", "reason of a reject", "oddity of a list", "status of a row", "rule of identity",
)  # fmt: skip
_TERMINATED = 143


@dataclass(frozen=True)
class Explanation:
    """What the ``name`` of one ``kind`` means, and what to ``do`` where something is to be done.

    ``exit_code`` and ``is_retryable`` belong to errors and the exit codes that they end with.
    """

    kind: str
    name: str
    meaning: str
    do: str = ""
    exit_code: int | None = None
    is_retryable: bool | None = None


def explanations() -> Iterator[Explanation]:
    """All there are, exit codes first."""
    errors = _errors()
    yield Explanation(CODE, "0", "Done.", exit_code=0)
    for error in errors:
        yield _of(error, CODE, str(error.exit_code))
        if error is Interrupted:
            yield _of(error, CODE, str(_TERMINATED), "The run was asked to end (SIGTERM); what was finished is stored.")
    for error in errors:
        yield _of(error, ERROR, error.__name__)
    for slug in sorted(texts.REASONS):
        meaning, _, do = texts.REASONS[slug].partition(". ")
        yield Explanation(REJECT, slug, meaning.removesuffix(".") + ".", do)
    for kind, words in ((ODD, texts.ODD), (STATUS, texts.STATUSES), (RULE, texts.RULES)):
        for slug, meaning in words.items():
            yield Explanation(kind, slug, f"{meaning[:1].upper()}{meaning[1:]}.")


def explain(name: str) -> list[Explanation]:
    """What ``name`` means, once for each kind that has it. Raises UsageError with names that come close."""
    wanted = _folded(name)
    known = list(explanations())
    found = [one for one in known if _folded(one.name) == wanted]
    if found:
        return found
    names = {_folded(one.name): one.name for one in known}
    close = [names[each] for each in difflib.get_close_matches(wanted, names, n=3)]
    hint = f"; close to it: {', '.join(close)}" if close else "; `igtool explain` lists all"
    raise UsageError(f"igtool gives no exit code, error or slug {name[:60]!r}{hint}")


def _folded(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _of(error: type[IgtoolError], kind: str, name: str, meaning: str = "") -> Explanation:
    said = meaning or (error.__doc__ or "").strip().splitlines()[0].replace("``", "`")
    return Explanation(kind, name, said, error.advice, error.exit_code, error.retryable)


def _errors() -> list[type[IgtoolError]]:
    """The tree of `igtool.errors` in the order of its codes; what other modules derive from it counts as its parent."""
    tree = [one for one in IgtoolError.__subclasses__() if one.__module__ == IgtoolError.__module__]
    return sorted([IgtoolError, *tree], key=lambda error: error.exit_code)
