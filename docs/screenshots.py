"""Photographs a report in Chromium: wide and narrow, light and dark; fails on a console error or a sideways scroll.

A tool for those who work on the report::

    python docs/screenshots.py runs/homes/report.html --to pictures

It needs playwright (``pip install playwright``) and a Chromium on the PATH.
"""

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

WIDTHS = (1280, 400)  # a desk, a telephone; in CSS pixels
SCHEMES = ("light", "dark")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SLICE = 4_000  # the longest picture, in CSS pixels


def photograph(page_file: Path, folder: Path | None, *, slice_height: int = SLICE) -> list[str]:
    """Return what is wrong with the page; write ``<width>-<scheme>-<slice>.png`` files if there is a ``folder``."""
    from playwright.sync_api import sync_playwright

    executable = next((found for found in map(shutil.which, BROWSERS) if found), None)
    if executable is None:
        raise SystemExit(f"No browser found on the PATH. Install one of: {', '.join(BROWSERS)}.")
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(FLAGS))
        for width in WIDTHS:
            for scheme in SCHEMES:
                window = {"width": width, "height": 900}
                context = browser.new_context(viewport=window, color_scheme=scheme)  # type: ignore[arg-type]
                problems += _visit(context.new_page(), page_file, folder, f"{width}-{scheme}", slice_height)
                context.close()
        browser.close()
    return problems


def _visit(page: Any, page_file: Path, folder: Path | None, name: str, slice_height: int) -> list[str]:
    problems: list[str] = []
    page.on("console", lambda message: problems.append(f"{name}: console {message.type}: {message.text}"))
    page.on("pageerror", lambda error: problems.append(f"{name}: script error: {error}"))
    page.on(
        "request",
        lambda request: (
            None if request.url.startswith(("file:", "data:")) else problems.append(f"{name}: asked for {request.url}")
        ),
    )
    page.goto(page_file.resolve().as_uri())
    inside, outside = page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
    if outside > inside:
        problems.append(f"{name}: the page is {outside} pixels wide in a window of {inside}: {_culprits(page)}")
    if folder is None:
        return problems
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": min(height, slice_height)})
    for number, top in enumerate(range(0, height, slice_height)):
        clip = {"x": 0, "y": top, "width": inside, "height": min(slice_height, height - top)}
        page.screenshot(path=folder / f"{name}-{number}.png", clip=clip, full_page=True)
    return problems


def _culprits(page: Any) -> str:
    """Name the elements that stick out at the right and are not inside a box of their own that scrolls."""
    found: list[str] = page.evaluate(
        """() => [...document.querySelectorAll("main *")]
            .filter((element) => !element.closest(".scroll") && element.getBoundingClientRect().right > innerWidth + 1)
            .slice(0, 5)
            .map((element) => `${element.tagName.toLowerCase()}.${element.getAttribute("class")}`)"""
    )
    return ", ".join(found) or "nothing in sight"


def main() -> int:
    """Photograph the page named on the command line; 1 if anything is wrong with it."""
    parser = argparse.ArgumentParser(description="Photograph a report: wide and narrow, light and dark.")
    parser.add_argument("page", type=Path, help="report.html")
    parser.add_argument("--to", type=Path, default=Path("pictures"), help="folder for the PNG files")
    parser.add_argument("--slice", type=int, default=SLICE, help="the longest picture, in pixels")
    options = parser.parse_args()
    problems = photograph(options.page, options.to, slice_height=options.slice)
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
