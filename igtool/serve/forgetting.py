"""Forgetting a creator through the server: who may, what would go, and the deed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from fastapi import Request

from igtool.errors import LockedError
from igtool.journal.audit import Entry
from igtool.journal.tenants import FORGET, LOCAL
from igtool.lake import Lake
from igtool.lake_sql import quote
from igtool.serve.api.base import services_of
from igtool.serve.callers import Caller, Callers, check, who_of
from igtool.serve.errors import LOG, Unavailable

_PATIENCE_S = 20.0
_IGTOOL = (sys.executable, "-c", "from igtool.cli import main; main()")
_OF_ACCOUNTS = {
    "accounts": "accounts, with names, biographies, addresses and links",
    "content_items": "posts and videos",
    "media": "pictures and where they came from",
}
_OF_THE_CREATOR = {
    "profiles": "profiles: topics, persona, tone, rhythm",
    "descriptions": "descriptions by a language model",
    "creator_tags": "tags of the creator",
    "image_tags": "tags of pictures",
    "reviews": "what people said of the tags",
}


def may_forget(request: Request) -> bool:
    """Whether whoever asks may forget creators: keys with that right, and this machine where there are no keys."""
    callers: Callers = request.app.state.callers
    who = who_of(request)
    return FORGET in who.rights or (who.tenant_id == LOCAL and not callers.has_tenants)


def check_may_forget(request: Request) -> Caller:
    """Who asks. Raises Forbidden where it may not forget creators."""
    who = who_of(request)
    if not may_forget(request):
        check(who, FORGET)
    return who


def held(lake: Lake, creator_id: str) -> Sequence[tuple[str, int]]:
    """What the tables hold of a creator and would hold no more, in words, each with its rows; what has none is out."""
    counted = []
    for table, words in _OF_ACCOUNTS.items():
        query = f"select count(*) from {quote(table)} join creator_links l using (account_id) where l.creator_id = ?"
        counted.append((words, lake.value(query, (creator_id,))))
    looks = (
        "select count(*) from metric_snapshots m left join content_items c on c.content_id = m.subject_id "
        "join creator_links l on l.account_id = coalesce(c.account_id, m.subject_id) where l.creator_id = ?"
    )
    counted.append(("counts of followers, likes and views over time", lake.value(looks, (creator_id,))))
    for table, words in _OF_THE_CREATOR.items():
        query = f"select count(*) from {quote(table)} where creator_id = ?"
        counted.append((words, lake.value(query, (creator_id,))))
    return [(words, int(count)) for words, count in counted if count]


def forget(request: Request, creator_id: str) -> bool:
    """Forget a creator, for good; whether it is done, which may take longer than a page can wait.

    In a process of its own, since it writes the files of both stores anew, which this one reads.
    Raises Forbidden, LockedError (a run writes: nothing is done), Unavailable (it failed: the log tells why).
    """
    who, services = check_may_forget(request), services_of(request)
    callers: Callers = request.app.state.callers
    future: Future[None] = Future()

    def work() -> None:
        try:
            _forget(services.settings.workspace, creator_id)
            callers.trail.note(Entry(who.tenant_id, who.actor, "forget"))
            services.desk.refresh()
            future.set_result(None)
        except Exception as error:  # noqa: BLE001 - the page that waits raises it
            LOG.warning("forgetting a creator: %s", error)
            future.set_exception(error)

    threading.Thread(target=work, name="forgetting").start()
    try:
        future.result(timeout=_PATIENCE_S)
    except TimeoutError:
        return False
    return True


def _forget(workspace: Path, creator_id: str) -> None:
    command = [*_IGTOOL, "--workspace", str(workspace.resolve()), "forget", "--creator", creator_id, "--yes", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - this program
    said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
    if done.stdout.strip() and json.loads(done.stdout).get("people"):
        return  # if bytes are left because somebody reads the catalog, `status` says so
    if done.returncode == LockedError.exit_code:
        raise LockedError(f"nothing was removed: {said[0]}")
    if done.returncode:
        raise Unavailable("not_forgotten", "forgetting failed, and goes on with `igtool forget --resume`")
