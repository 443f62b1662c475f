"""A browser for the tests of the pages: headless Chromium, driven as a person drives it; where there is none, they are skipped."""

import os
import shutil

import pytest

BROWSER = next((found for found in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if found), None)
PICTURES = os.environ.get("FATHOM_PICTURES")  # a folder in which to keep a look at each page, for people


@pytest.fixture(scope="module")
def browser():
    """Chromium. Of a module and no longer: while it is open, no other loop can run in this thread."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="the extra group web is not installed")
    if BROWSER is None:
        pytest.skip("no Chromium on the PATH")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=BROWSER, args=["--headless=new", "--no-sandbox", "--disable-gpu"]
        )
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, request):
    """Open a page; at the end there must have been no error, no dialog, and nothing asked of any other server."""
    pages, problems = [], []

    def opened(address, **choice):
        context = browser.new_context(viewport={"width": 1280, "height": 900}, **choice)
        page = context.new_page()
        pages.append(page)
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append("a dialog"), dialog.dismiss()))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith((address, "data:", "blob:")) else problems.append(asked.url),
        )
        page.goto(address)
        return page

    yield opened
    for number, page in enumerate(pages):
        if PICTURES:
            page.screenshot(path=f"{PICTURES}/{request.node.name}-{number}.png", full_page=True)
        page.context.close()
    assert not [problem for problem in problems if "422" not in problem and "401" not in problem]
