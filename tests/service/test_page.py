"""The page of a server, driven in a browser as a person drives it: form, upload, answer, charts, keyboard, and names that mean harm."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import fathom
from fathom.bundle import manifest
from fathom.service.records.recording import Recording
from fathom.service.watch import showing
from fathom.service.web.forms import form_of
from tests.conftest import QUICK
from tests.service.recorded import serving

HOSTILE = "<img src=x onerror=alert(1)>'\"`{{x}}"


@pytest.fixture(scope="module")
def late(late_run):
    """The model, in place of the server of that name."""
    return fathom.load(late_run)


def contrast(first: str, second: str) -> float:
    """The contrast of two colours (WCAG 2.2, 1.4.3)."""

    def light(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(first), light(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_colours_can_be_read_in_light_and_dark():
    style = showing.asset("page.css")
    for block in style.split(":root {")[1:]:
        colours = {
            name.strip().removeprefix("--"): value.strip()
            for name, _, value in (line.partition(":") for line in block.split("}")[0].replace("\n", " ").split(";"))
            if "--" in name
        }
        for ink in ("ink", "quiet", "accent", "alarm"):
            for ground in ("paper", "panel"):
                assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)
        assert contrast(colours["on-accent"], colours["accent"]) >= 4.5


def test_the_form_has_the_control_that_suits_each_column(late):
    fields = {field["name"]: field for field in form_of(late, "late", "v")["fields"]}
    assert fields["departure"]["input"] == "datetime-local"
    assert fields["origin"]["choices"] == ["EWR", "JFK", "LGA"]
    assert fields["holiday"]["choices"] == ["no", "yes"]
    assert fields["temperature_f"]["input"] == "number"
    assert form_of(late, "late", "v")["targets"] == [{"name": "late", "classes": ["no", "yes"]}]


def picture(shade: int) -> bytes:
    """A PNG of 16 by 16 pixels of one colour, with a little noise."""
    pixels = np.clip(np.random.default_rng(shade).normal(shade, 10, (16, 16, 3)), 0, 255).astype(np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    head = struct.pack(">IIBBBBB", 16, 16, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_a_person_asks_by_keyboard_and_sees_the_charts_move(visit, late, late_run, tmp_path):
    with serving({"late": late_run}, Recording(store=str(tmp_path / "requests.sqlite"))) as (address, host):
        page = visit(f"{address}/")
        page.wait_for_selector("#field-0")
        for place, field in enumerate(form_of(late, "late", "v")["fields"]):
            assert page.locator(f"label[for=field-{place}]").inner_text() == field["name"]
        temperature = next(
            p for p, f in enumerate(form_of(late, "late", "v")["fields"]) if f["name"] == "temperature_f"
        )
        page.focus(f"#field-{temperature}")
        page.keyboard.press("Control+A")
        page.keyboard.type("64.5")
        page.keyboard.press("Enter")  # sends, as in every form
        page.wait_for_selector(".result")
        assert page.locator(".result .value").inner_text() in ("no", "yes")
        assert "%" in page.locator(".result").inner_text()
        page.get_by_role("button", name="Why?").press("Enter")
        page.wait_for_selector(".result h3")
        assert "temperature_f = 64.5" in page.locator("#answer").inner_text()
        assert "would be" in page.locator("#answer").inner_text()
        for _ in range(2):
            page.focus("#send")
            page.keyboard.press("Enter")
            page.wait_for_selector("#send:not([disabled])")
        host.observers[0].stale = 0.0  # three answers, and the reasons of one of them, which is no request more
        page.locator("#facts dd").first.filter(has_text="3").wait_for(timeout=15_000)
        assert page.locator("#rate svg").count() == 1 and page.locator("#latency svg").count() == 1
        page.check("#every")
        assert page.locator("#drift tbody tr").count() > 30
        inside, outside = page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
        assert inside == outside
        page.set_viewport_size({"width": 390, "height": 800})
        inside, outside = page.evaluate("[document.documentElement.clientWidth, document.documentElement.scrollWidth]")
        assert inside == outside
        unnamed = page.evaluate(
            "[...document.querySelectorAll('input,select,textarea')].filter(e => !e.labels.length).length"
        )
        assert unnamed == 0


def test_names_and_words_that_mean_harm_are_only_words(visit, tmp_path):
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=300)
    word = np.where(generator.random(300) < 0.5, HOSTILE, "plain")
    answer = np.where(numbers > 0, f"{HOSTILE} yes", "no")
    model = fathom.fit(
        {HOSTILE: word, "a b'c": numbers, "y</script>": answer},
        target="y</script>",
        keep="baseline",
        allow_leakage=True,
        **QUICK,
    )
    model.save(tmp_path / "harm")
    with serving({"harm": tmp_path / "harm"}, Recording(store=str(tmp_path / "requests.sqlite"))) as (address, _):
        page = visit(f"{address}/")
        page.wait_for_selector("#field-0")
        assert page.locator("#fields label").first.inner_text() == HOSTILE
        page.fill("#field-1", "1.5")
        page.click("#send")
        page.wait_for_selector(".result")
        assert HOSTILE in page.locator(".result").first.inner_text()
        assert (
            "over 99.9 %" in page.locator(".result").first.inner_text()
        )  # and not the certainty that it would be rounded to
        assert page.locator("img").count() == 0
        reply = page.request.get(f"{address}/")
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "script-src 'self'" in policy


@pytest.mark.slow
def test_a_picture_is_uploaded_with_a_preview_and_answered(visit, tmp_path):
    pytest.importorskip("PIL")
    shades = [60 if i % 2 else 190 for i in range(160)]
    pictures = pa.array([picture(shade + i % 20) for i, shade in enumerate(shades)], pa.binary())
    table = {"photo": pictures, "kind": ["night" if shade < 100 else "day" for shade in shades]}
    model = fathom.fit(table, target="kind", effort="quick", epochs=1, keep="baseline", allow_leakage=True)
    model.save(tmp_path / "photos")
    with serving({"photos": tmp_path / "photos"}, Recording(store=str(tmp_path / "requests.sqlite"))) as (
        address,
        host,
    ):
        page = visit(f"{address}/", color_scheme="dark")
        page.set_input_files("#field-0", {"name": "p.png", "mimeType": "image/png", "buffer": picture(200)})
        page.wait_for_selector("img.preview")
        page.click("#send")
        page.wait_for_selector(".result")
        assert page.locator(".result .value").inner_text() == "day"
        found = page.request.get(f"{address}/watch/photos").json()
        assert found["state"] == "too few rows"
        host.observers[0].stale = 0.0
        page.wait_for_timeout(700)
        drifts = page.request.get(f"{address}/watch/photos").json()["drifts"]
        assert {"brightness", "contrast", "sharpness", "colour"} <= {one["question"] for one in drifts}
        assert all(one["rows"] == 1 for one in drifts if one["question"] == "brightness")


def test_the_charts_are_those_of_the_model_that_is_chosen(visit, late_run, two_bundles, tmp_path):
    """A look that comes late, at a model that was left meanwhile, is not shown as that of another."""
    recording = Recording(store=str(tmp_path / "requests.sqlite"))
    with serving({"late": late_run, "says": two_bundles[0]}, recording) as (address, _):
        page = visit(f"{address}/")
        page.wait_for_selector("#field-0")
        held = []
        page.route("**/watch/says", lambda route: held.append(route))
        page.select_option("#models", "says")
        assert page.locator("#fields label").all_inner_texts() == ["x"]
        assert page.inner_text("#state") == "Looking at the latest requests …"
        page.select_option("#models", "late")
        page.locator("#state", has_text="recorded").wait_for()
        for route in held:
            route.fulfill(json={"state": "alarm", "headline": "of another model"})
        page.wait_for_timeout(100)
        assert "another" not in page.inner_text("#state")


def test_a_server_with_tokens_asks_for_one(visit, late_run):
    from fathom.service.web.access import Access

    token = "correct-horse-battery-staple"
    with serving({"late": late_run}, access=Access.of([token])) as (address, _):
        page = visit(f"{address}/")
        page.wait_for_selector("#token")
        page.fill("#token", token)
        page.keyboard.press("Enter")
        page.wait_for_selector("#field-0")
        page.click("#send")
        page.wait_for_selector(".result")
        assert "not recorded" in page.locator("#state").inner_text()


def test_a_cell_that_is_refused_is_told_beside_its_field(visit, late_run):
    with serving({"late": late_run}) as (address, _):
        page = visit(f"{address}/")
        page.wait_for_selector("#field-0")
        page.evaluate("document.getElementById('field-4').type = 'text'; model.fields[4].input = 'text'")
        page.fill("#field-4", "far away")
        page.click("#send")
        page.wait_for_selector(".wrong")
        assert page.evaluate("document.activeElement.id") == "field-4"
        assert page.get_attribute("#field-4", "aria-invalid") == "true"


def test_the_page_of_a_look_is_one_file_that_asks_for_nothing(visit, tmp_path, late):
    from fathom.service.watch.watching import Look

    file = tmp_path / "look.html"
    file.write_text(showing.page_of(Look("late", manifest.version(late.files), 0.0, "steady", HOSTILE)))
    page = visit(Path(file).as_uri())
    assert HOSTILE in page.locator("#state").inner_text()
