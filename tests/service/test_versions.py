"""A shelf: one version is live at every moment, every change is logged, and approval holds a step back."""

import json
import shutil
import threading

import pytest

from fathom.bundle import manifest
from fathom.errors import BundleError, OptionError
from fathom.service.shelf.versions import is_shelf, make_shelf, open_shelf
from tests.conftest import ROOT

WHO = {"who": "ada", "why": "a test"}
TEMPLATE = ROOT / "tests" / "bundles" / "format-2" / "table-trees"


def bundle_of(folder, text):
    """Write a bundle that another text tells from others: one that is kept, with a sample more."""
    files = manifest.read(TEMPLATE)
    del files[manifest.NAME]
    samples = json.loads(files["samples.json"])
    files["samples.json"] = manifest.dump([*samples, {"row": {"text": text}, "answer": {}}])
    folder.mkdir()
    for name, content in {**files, manifest.NAME: manifest.make(files)}.items():
        (folder / name).write_bytes(content)
    return folder


@pytest.fixture
def old(tmp_path):
    return bundle_of(tmp_path / "old", "old")


@pytest.fixture
def shelf(old, tmp_path):
    return make_shelf(tmp_path / "shelf", old, **WHO)


@pytest.fixture
def new(shelf, tmp_path):
    return shelf.add(bundle_of(tmp_path / "new", "new"), **WHO)


def test_a_new_shelf_serves_the_bundle_that_it_was_made_of(shelf, old):
    state = open_shelf(shelf.path).state()
    assert state.live == manifest.version(manifest.read(old)) and state.before == ()
    assert manifest.read(shelf.folder(state.live)) == manifest.read(old)
    assert is_shelf(shelf.path) and not is_shelf(old)


def test_promote_and_undo_exchange_what_is_live(shelf, new):
    old = shelf.state().live
    assert shelf.promote(new, **WHO) == shelf.state()
    assert (shelf.state().live, shelf.state().before) == (new, (old,))
    assert shelf.undo(**WHO).live == old
    assert shelf.state().before == ()
    with pytest.raises(OptionError, match="nothing to undo"):
        shelf.undo(**WHO)


def test_another_reader_sees_a_change_without_being_told(shelf, new):
    reader = open_shelf(shelf.path)
    before = reader.state()
    assert reader.state() is before  # the file is read once
    shelf.promote(new, **WHO)
    assert reader.state().live == new


def test_undo_ends_a_trial_before_it_touches_what_is_live(shelf, new, tmp_path):
    third = shelf.add(bundle_of(tmp_path / "third", "third"), **WHO)
    shelf.promote(new, **WHO)
    shelf.shadow(third, **WHO)
    shelf.canary(third, 0.1, **WHO)
    assert shelf.state().in_use == {new, third}
    state = shelf.undo(**WHO)
    assert (state.live, state.shadow, state.canary) == (new, None, None)
    shelf.canary(third, 0.25, **WHO)
    assert shelf.promote(third, **WHO).canary is None


def test_every_change_says_who_what_when_and_why(shelf, new):
    shelf.promote(new, who="bob", why="fewer mistakes on the latest rows")
    last = shelf.log()[-1]
    assert (last["who"], last["what"], last["version"], last["why"]) == (
        "bob",
        "promote",
        new,
        "fewer mistakes on the latest rows",
    )
    assert [entry["number"] for entry in shelf.log()] == [1, 2, 3] and last["when"].endswith("+00:00")
    assert shelf.state().change == 3
    with pytest.raises(OptionError, match="--who"):
        shelf.undo(who=" ")


def test_a_step_waits_for_approval_where_the_shelf_asks_for_it(shelf, new):
    old = shelf.require_approval(True, **WHO).live
    for ask in (lambda: shelf.promote(new, **WHO), lambda: shelf.canary(new, 0.5, **WHO)):
        state = ask()
        assert state.live == old and state.canary is None and state.waiting.version == new
    assert shelf.approve(who="bob").canary.share == 0.5
    shelf.promote(new, **WHO)
    assert shelf.undo(**WHO).waiting is None  # turned down
    with pytest.raises(OptionError, match="Nothing waits"):
        shelf.approve(who="bob")
    shelf.promote(new, **WHO)
    assert shelf.approve(who="bob").live == new
    assert shelf.log()[-1]["who"] == "bob"
    assert shelf.undo(**WHO).live == old  # going back never waits


def test_a_damaged_version_is_never_made_live(shelf, new):
    old = shelf.state().live
    (shelf.folder(new) / "model.json").write_bytes(b"{}")
    for step in (
        lambda: shelf.promote(new, **WHO),
        lambda: shelf.canary(new, 0.1, **WHO),
        lambda: shelf.shadow(new, **WHO),
    ):
        with pytest.raises(BundleError, match=r"model\.json"):
            step()
    assert shelf.state().live == old and shelf.state().in_use == {old}


def test_wrong_use_is_a_lesson(shelf, new, old, tmp_path):
    with pytest.raises(BundleError, match=f"Did you mean '{new}'"):
        shelf.promote(new[:-1], **WHO)
    with pytest.raises(OptionError, match="live"):
        shelf.promote(shelf.state().live, **WHO)
    for share in (0, 1, -1, float("nan")):
        with pytest.raises(OptionError, match="share"):
            shelf.canary(new, share, **WHO)
    with pytest.raises(BundleError, match="not a shelf"):
        open_shelf(old)
    with pytest.raises(OptionError, match="already"):
        make_shelf(shelf.path, old, **WHO)
    with pytest.raises(OptionError, match="something else"):
        make_shelf(tmp_path, old, **WHO)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"format": 2}',
        '{"format": 1, "live": "../../etc"}',
        '{"format": 1, "live": null}',
        "[" * 100_000,
    ],
)
def test_a_damaged_state_is_refused_with_its_place(shelf, content):
    (shelf.path / "state.json").write_text(content)
    with pytest.raises(BundleError, match=r"state\.json|format 2"):
        open_shelf(shelf.path)


def test_a_line_that_was_cut_off_costs_no_other(shelf, new):
    log = shelf.path / "log.jsonl"
    log.write_bytes(log.read_bytes() + b'{"number": 3, "wh')
    shelf.promote(new, **WHO)
    assert [entry["what"] for entry in shelf.log()] == ["add", "add", "promote"]


def test_a_change_that_was_logged_and_did_not_happen_is_said_to(shelf, new):
    log = shelf.path / "log.jsonl"
    log.write_bytes(log.read_bytes() + json.dumps({"number": 3, "what": "promote", "version": new}).encode() + b"\n")
    assert shelf.state().live != new
    shelf.promote(new, **WHO)
    assert [(entry["number"], entry["what"]) for entry in shelf.log()][2:] == [
        (3, "promote"),
        (4, "not done"),
        (5, "promote"),
    ]


def test_what_a_cut_off_copy_left_is_cleared_away(shelf, tmp_path):
    left = shelf.path / "versions" / ".abc-left"
    left.mkdir()
    version = shelf.add(bundle_of(tmp_path / "new", "new"), **WHO)
    assert not left.exists() and shelf.versions() == [shelf.state().live, version]


def test_changes_from_many_threads_are_all_logged_and_one_is_live(shelf, new):
    old, states = shelf.state().live, []

    def change():
        mine = open_shelf(shelf.path)
        for _ in range(5):
            try:
                states.append(mine.promote(new, **WHO).live)
                states.append(mine.undo(**WHO).live)
            except OptionError:
                states.append("refused")

    threads = [threading.Thread(target=change) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(states) <= {old, new, "refused"} and shelf.state().live in (old, new)
    numbers = [entry["number"] for entry in shelf.log()]
    assert numbers == sorted(set(numbers)) and shelf.state().change == numbers[-1]


def test_a_shelf_cut_off_while_it_was_made_can_be_made_again(shelf, old):
    (shelf.path / "state.json").unlink()
    shutil.rmtree(shelf.path / "versions")
    assert make_shelf(shelf.path, old, **WHO).state().live == manifest.version(manifest.read(old))


def test_what_the_gate_refuses_later_is_neither_approved_nor_a_canary_any_more(shelf, new):
    """A version that waits, or answers a share, is judged again on rows that came since: nothing passes by the gate."""
    files = manifest.read(shelf.folder(new))
    passed, refused = {"passed": True}, {"passed": False, "reasons": ["It is worse on the latest rows."]}
    assert shelf.add(files, **WHO, gate=passed) == new
    shelf.canary(new, 0.2, **WHO)
    shelf.shadow(new, **WHO)
    shelf.add(files, **WHO, gate=refused)
    assert shelf.state().canary is None and shelf.state().shadow == new

    shelf.add(files, **WHO, gate=passed)
    shelf.require_approval(True, **WHO)
    shelf.promote(new, **WHO)
    shelf.add(files, **WHO, gate=refused)
    assert shelf.state().waiting is None
    shelf.add(files, **WHO, gate=passed)
    shelf.promote(new, **WHO)
    (shelf.path / "gates" / f"{new}.json").write_bytes(manifest.dump(refused))
    with pytest.raises(
        OptionError, match=r"^The gate refused .*: It is worse on the latest rows\. It may run as a shadow\.$"
    ):
        shelf.approve(**WHO)
    assert shelf.state().live != new
