"""The pictures of docs/server.md: the invented people of examples/, enriched, served and looked at in chromium.

    python docs/screenshots.py [FOLDER]

Needs what tests of pages need: chromium, Playwright, Pillow. FOLDER keeps the workspace for the next time.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import sync_playwright

from igtool.cli import main
from igtool.serve.app import create_server
from igtool.serve.running import Announced
from igtool.settings import load

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "docs" / "images"
SHOTS = (
    ("search", "/?query=vegan+recipes+in+Spain+under+500k+followers", (1180, 820), "light"),
    ("creator", "/creator/imogensaltmarch", (1180, 900), "dark"),
    ("search-narrow", "/?query=vegan+recipes+in+Spain&niche=food", (360, 740), "light"),
)
"""Name of the picture, address, width and height of the window, theme."""
_COLOURS = 96
_WITH_REJECTS = 8


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server over the examples."""
    examples = ROOT / "examples"
    if not (folder / "data" / "lake.json").exists():
        enrich = ["enrich", str(examples / "creators.csv"), "--source", str(examples / "raw")]
        result = CliRunner().invoke(main, ["--workspace", str(folder), *enrich])
        if result.exit_code not in (0, _WITH_REJECTS):
            raise SystemExit(result.output)
    server = create_server(load(folder))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        is_ready = threading.Event()
        running = Announced(server, is_ready.set)
        thread = threading.Thread(target=running.run, args=([listening],))
        thread.start()
        is_ready.wait(20)
        server.services.desk.refresh()
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            running.should_exit = True
            thread.join()


def shoot(address: str) -> None:
    """Write every picture of `SHOTS`, in few colours."""
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--headless", "--no-sandbox"])
        for name, path, (width, height), theme in SHOTS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
            page.goto(address + path)
            picture = Image.open(BytesIO(page.screenshot())).convert("RGB").quantize(_COLOURS)
            picture.save(IMAGES / f"{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary, served(Path(sys.argv[1] if sys.argv[1:] else temporary)) as at:
        shoot(at)
