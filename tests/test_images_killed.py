"""The stage images killed at random moments: nothing is lost, and the end is as if nothing had happened."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
from conftest import NOW
from picture_server import PictureServer, account, item, photo

from igtool.lake import Lake

ACCOUNTS, PICTURES, BATCH = 8, 4, 2

RUN = """
    import sys
    from datetime import UTC, datetime
    from pathlib import Path
    from igtool.http import Client
    from igtool.journal import Journal
    from igtool.lake import Lake
    from igtool.pictures.fetching import PictureFetcher
    from igtool.pictures.gathering import PictureDesk
    from igtool.pictures.store import PictureStore
    from igtool.progress import Progress
    from igtool.runner import Runner
    from igtool.stages.base import Context
    from igtool.stages.images import Images

    folder, now, batch = Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), int(sys.argv[3])
    with Journal(folder / "cache", writable=True) as journal, Lake(folder / "data", writable=True) as lake:
        desk = PictureDesk(PictureStore(folder / "images"), PictureFetcher(Client(allow_loopback=True), 200).fetch)
        context = Context(encoder=lambda: None, clock=lambda: now, pictures=desk)
        Runner(lake, journal, context, Progress(folder / "progress.json", "r"), batch_size=batch).run([Images()])
"""


def start(folder: Path) -> subprocess.Popen[bytes]:
    """The stage over the lake in ``folder``, in a process of its own."""
    arguments = [sys.executable, "-c", textwrap.dedent(RUN), str(folder), NOW.isoformat(), str(BATCH)]
    return subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


def media(folder: Path) -> list[dict[str, object]]:
    """What is stored."""
    with Lake(folder / "data", writable=False) as lake:
        return lake.rows("from media order by media_id")


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path) -> None:
    """The table equals that of an undisturbed run, files are whole, and what was committed is never asked for again."""
    with PictureServer() as server:
        urls = [server.has(f"/{number}.jpg", photo(number)) for number in range(ACCOUNTS * PICTURES)]
        items = [item(n, n % ACCOUNTS + 1, [url], n) for n, url in enumerate(urls)]
        for name in ("killed", "undisturbed"):
            with Lake(tmp_path / name / "data", writable=True) as lake, lake.transaction():
                lake.merge("accounts", [account(number + 1) for number in range(ACCOUNTS)])
                lake.merge("content_items", items)
        assert start(tmp_path / "undisturbed").wait(timeout=60) == 0
        undisturbed = server.asked.total()
        assert undisturbed == len(urls)
        moments = random.Random(7)
        kills = 0
        for _ in range(2):
            before = server.asked.total()
            process = start(tmp_path / "killed")
            while server.asked.total() == before and process.poll() is None:
                time.sleep(0.005)
            time.sleep(moments.uniform(0, 0.15))
            process.send_signal(signal.SIGKILL)
            kills += process.wait() == -signal.SIGKILL
        assert start(tmp_path / "killed").wait(timeout=60) == 0
        again = server.asked.total() - undisturbed - len(urls)
        assert kills >= 1
        assert again <= kills * BATCH * PICTURES
        assert media(tmp_path / "killed") == media(tmp_path / "undisturbed")
        for path in (tmp_path / "killed" / "images").glob("*/*"):
            is_whole = hashlib.sha256(path.read_bytes()).hexdigest() == path.name
            assert is_whole or path.name.startswith(".")  # half-written: goes with what is not used
        asked = server.asked.total()
        assert start(tmp_path / "killed").wait(timeout=60) == 0
        assert server.asked.total() == asked
