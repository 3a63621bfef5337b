"""Draw ``viewer.png``: the viewer on the first molecule of ``report.pdf``, in Chromium.

    python samples/make_viewer_picture.py

It needs Playwright, and Chromium on the path.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

import docai
from docai.viewer import write_view

HERE = Path(__file__).parent


def main() -> None:
    source = HERE / "report.pdf"
    page = write_view(docai.process(source), source)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.view.html"
        path.write_bytes(page)
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = chromium.new_page(viewport={"width": 1280, "height": 800})
        tab.goto(path.as_uri())
        tab.locator("#kind").select_option("molecule")
        tab.locator("#next").click()
        tab.keyboard.press("o")
        tab.locator("img.drawing").evaluate("image => image.decode()")
        tab.screenshot(path=HERE / "viewer.png")
        chromium.close()


if __name__ == "__main__":
    main()
