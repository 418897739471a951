"""Forgetting people: removed from both stores, their files and everything made of them; a tombstone stays.

The journal holds whom, from before the first row goes until the last byte is gone, so that a killed call is finished
by the next one. The order: journal, tables (one commit), what waits in the journal, files, bytes of both stores.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from igtool.asking.answers import Answers
from igtool.auditing import forget_details
from igtool.erase import files, tables
from igtool.erase.person import Person, find, is_forgotten, not_found, person_of, unknown
from igtool.errors import UsageError
from igtool.fetching.keeping import raw_row
from igtool.files import fsync
from igtool.forgotten.tombstones import Tombstones, lifted, rows_for
from igtool.journal import Journal
from igtool.journal.forgetting import Forgetting, Waiting
from igtool.journal.ledger import Ledger
from igtool.journal.models import ModelLedger
from igtool.lake import Lake
from igtool.schema import TABLES
from igtool.session import Session, open_session
from igtool.settings import Settings
from igtool.stages.resolve import Resolve

_ANSWERS, _ANSWER_BYTES = 2_000, 32 << 20


@dataclass(frozen=True)
class Wish:
    """Whom to forget: handles, account ids or creator ids.

    ``platform`` holds for those that do not say theirs. ``account_only``: only the account that is named, where its
    creator has several.
    """

    names: tuple[str, ...]
    platform: str | None = None
    account_only: bool = False


@dataclass(frozen=True)
class Forgotten:
    """What went, or would go. ``people``: how many; ``rows``: by table; ``files``: how many files of igtool.

    ``sources``: files of the user that raw answers about them came from, and what `igtool restore` moved aside, which
    are not touched; ``already``: names that were forgotten before; ``renamed``: whom former handles mean now.
    ``is_clean``: nothing is left in the files of this workspace; if not, another process reads them, and `resume`
    finishes it.
    """

    people: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    files: int = 0
    sources: tuple[str, ...] = ()
    already: tuple[str, ...] = ()
    renamed: tuple[str, ...] = ()
    is_clean: bool = True


def forget(settings: Settings, wish: Wish, *, stopping: Callable[[], bool] = lambda: False) -> Forgotten:
    """Forget people, after finishing what an earlier call began.

    Raises UsageError (nobody of that name, with handles that come close; nothing is done then), LockedError (another
    process writes), StorageError, IntegrityError.
    """
    with open_session(settings, "forget", stopping) as session:
        done = _finish(session)
        people, told = _people(session, wish)
        gone = _forget(session, people)
        return _added(replace(gone, already=told.already, renamed=told.renamed), done)


def forget_creator(settings: Settings, creator_id: str) -> Forgotten:
    """Forget all accounts of a creator; for who has an id and not a handle. Raises what `forget` raises."""
    return forget(settings, Wish((creator_id,)))


def resume(settings: Settings) -> Forgotten:
    """Finish what an earlier call began; nothing where none did. Raises LockedError, StorageError, IntegrityError."""
    with open_session(settings, "forget", lambda: False) as session:
        return _finish(session)


def again(settings: Settings) -> Forgotten:
    """Forget those who came back with what an older backup holds. Raises what `forget` raises."""
    with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
        tombstones = Tombstones(lake)
        rows = lake.rows("select account_id, platform, platform_user_id, handle from accounts") if tombstones else []
    back = [
        row
        for row in rows
        if any(tombstones.has(row["platform"], row[name]) for name in ("platform_user_id", "handle"))
    ]
    if not back:
        return Forgotten()
    return forget(settings, Wish(tuple(row["account_id"] for row in back), account_only=True))


def preview(settings: Settings, wish: Wish) -> Forgotten:
    """What `forget` would remove; nothing is written. Raises UsageError."""
    with (
        Journal(settings.cache, writable=False) as journal,
        Lake(settings.lake, writable=False, offline=settings.offline) as lake,
    ):
        people, told = _found(lake, wish)
        rows: dict[str, int] = {}
        count = 0
        for person in people:
            waiting = _waiting(journal, person).counts(person.names, [*person.accounts, *person.creators])
            for name, number in [*tables.count(lake, person).items(), *waiting.items()]:
                rows[name] = rows.get(name, 0) + number
            count += len(files.named(settings, _teller(person)))
    return replace(told, people=len(people), rows=rows, files=count)


def undo(settings: Settings, name: str, platform: str | None = None) -> int:
    """Let somebody who was forgotten be fetched and stored again; how many people have the name.

    What was removed does not come back. Raises LockedError.
    """
    given, _, rest = name.strip().partition(":")
    with open_session(settings, "forget --undo", lambda: False) as session:
        return lifted(session.lake, platform or (given if rest else None), [rest or given])


def forgotten_count(settings: Settings) -> int:
    """How many people there are tombstones of. Raises UsageError where there is no lake."""
    with Lake(settings.lake, writable=False, offline=settings.offline) as lake:
        return int(lake.value("select count(distinct person_id) from tombstones"))


def _found(lake: Lake, wish: Wish) -> tuple[list[Person], Forgotten]:
    """Whom the wish means, each once, and what there is to say of the names."""
    people: dict[tuple[str, ...], Person] = {}
    already: list[str] = []
    renamed: list[str] = []
    missing = None
    for name in dict.fromkeys(wish.names):
        accounts = find(lake, name, wish.platform, renamed.append)
        if accounts:
            person: Person | None = person_of(lake, accounts, account_only=wish.account_only)
        else:
            person = unknown(lake, name, wish.platform)
        if person is not None:
            people[tuple(person.accounts)] = person
        elif is_forgotten(lake, name, wish.platform):
            already.append(name)
        else:
            missing = missing or not_found(lake, name)
    if missing is not None:
        raise missing
    if not wish.names:
        raise UsageError("nobody is named: give handles, --creator ID or --from-file FILE.csv")
    return list(people.values()), Forgotten(already=tuple(already), renamed=tuple(renamed))


def _people(session: Session, wish: Wish) -> tuple[list[Person], Forgotten]:
    """As `_found`, after everything that waits in the journal is in the lake, so that there is one place to look."""
    Answers(ModelLedger(session.journal), session.lake).drain()
    ledger = Ledger(session.journal)
    while answers := ledger.answers(most=_ANSWERS, most_bytes=_ANSWER_BYTES):
        with session.lake.transaction():
            session.lake.append_new("raw_responses", [raw_row(answer) for answer in answers])
        ledger.delete_answers(answer.answer_id for answer in answers)
    return _found(session.lake, wish)


def _forget(session: Session, people: Sequence[Person]) -> Forgotten:
    log = Forgetting(session.journal)
    begun = [replace(person, group=secrets.token_hex(8)) for person in people]
    for person in begun:
        log.begin(person.stored())
    return _finish(session) if begun else Forgotten()


def _finish(session: Session) -> Forgotten:
    """Remove everybody whom the journal names; what went."""
    log = Forgetting(session.journal)
    going = log.under_way()
    if not going:
        return Forgotten()
    done = Forgotten()
    for _, stored in going:
        if stored:
            done = _added(_remove(session, Person.of(stored)), done)
    is_clean = session.lake.purge(list(TABLES))
    fsync(session.lake.folder)
    for number, _ in going:
        log.emptying(number)
    is_clean = session.journal.compact() and is_clean
    if is_clean:
        for number, _ in going:
            log.done(number)
    return replace(done, is_clean=is_clean)


def _remove(session: Session, person: Person) -> Forgotten:
    """Everything but unused bytes. Doing it again changes nothing."""
    lake, journal = session.lake, session.journal
    _forget_audit(lake, journal, person)
    waiting = _waiting(journal, person)
    now = datetime.now(UTC)
    with lake.transaction():
        lake.append_new("tombstones", rows_for(lake.folder, person.names, person.group, now))
        rows, sources = tables.erase(lake, person, is_resolved=not person.reduced)
    if person.reduced:
        session.runner().run([Resolve()])
        with lake.transaction():
            tables.erase(lake, person)
    said = waiting.drop_conversations(person.authors)
    waiting.drop(person.names, [*person.accounts, *person.creators], person.texts)
    if said:
        rows["conversations"] = rows.get("conversations", 0) + said
    count = files.remove(session.settings, lake, journal, _teller(person))
    return Forgotten(1, rows, count, (*sources, *files.moved_aside(session.settings)))


def _waiting(journal: Journal, person: Person) -> Waiting:
    return Waiting(journal, person.named.in_text, person.named.in_path)


def _teller(person: Person) -> Callable[[str], bool]:
    """Whether the text of a file names the person, by a name or in their own words."""
    named = person.named
    words = frozenset(named.handles - named.shared)

    def tells(text: str) -> bool:
        if named.in_text(text) or any(phrase in text for phrase in person.phrases):
            return True
        lower = text.lower()
        return any(word in lower for word in words)

    return tells


def _forget_audit(lake: Lake, journal: Journal, person: Person) -> None:
    """Take the details away of entries of the audit log that name the person."""
    words = [*(name for _, name in person.names), *person.accounts, *person.creators]
    forget_details(lake, journal, words, now=datetime.now(UTC).timestamp())


def _added(one: Forgotten, other: Forgotten) -> Forgotten:
    """Both together; ``one`` came after ``other`` and finished that as well, if it did anything."""
    rows = {name: one.rows.get(name, 0) + other.rows.get(name, 0) for name in sorted({*one.rows, *other.rows})}
    return Forgotten(
        people=one.people + other.people,
        rows=rows,
        files=one.files + other.files,
        sources=tuple(dict.fromkeys([*other.sources, *one.sources])),
        already=(*one.already, *other.already),
        renamed=(*one.renamed, *other.renamed),
        is_clean=one.is_clean if one.people else other.is_clean,
    )
