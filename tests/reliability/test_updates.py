"""I5: a promotion or a roll-back that is killed at any step leaves the old or the new version live, whole, never none. I3: poisoned feedback does not pass the gate."""

import os
import shutil
import signal
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import fathom
from fathom.bundle import manifest
from fathom.data.files.writing import write
from fathom.errors import OptionError
from fathom.renewal.origins import origin_on
from fathom.renewal.updating import shelf_of, update
from fathom.service.shelf.versions import make_shelf, open_shelf
from tests.conftest import FLIGHTS
from tests.reliability.children import end_of, start
from tests.service.test_versions import WHO, bundle_of

WATCHED = {"versions.py", "states.py", "journal.py", "saving.py", "manifest.py", "opening.py", "writing.py"}


def killed_at(step: int, work):
    """Return work whose process is killed before it runs the ``step``-th line of the shelf's code."""

    def run():
        left = [step]

        def each(frame, event, argument):
            if event == "line":
                left[0] -= 1
                if left[0] <= 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return each

        def trace(frame, event, argument):
            return each if Path(frame.f_code.co_filename).name in WATCHED else None

        sys.settrace(trace)
        try:
            work()
        finally:
            sys.settrace(None)

    return run


def length_of(work) -> int:
    """Return how many lines of the shelf's code work runs."""
    count = [0]

    def each(frame, event, argument):
        count[0] += event == "line"
        return each

    sys.settrace(lambda frame, event, argument: each if Path(frame.f_code.co_filename).name in WATCHED else None)
    try:
        work()
    finally:
        sys.settrace(None)
    return count[0]


def check(shelf, allowed):
    """What a server sees after a restart: a whole version that may be live, and a shelf that takes the next change."""
    again = open_shelf(shelf.path)
    state = again.state()
    assert state.live in allowed
    for version in state.in_use:
        assert manifest.version(manifest.read(again.folder(version))) == version
    return state


@pytest.fixture
def pair(tmp_path):
    """A shelf, and the versions on it, old and new."""
    shelf = make_shelf(tmp_path / "shelf", bundle_of(tmp_path / "old", "old"), **WHO)
    new = shelf.add(bundle_of(tmp_path / "new", "new"), **WHO)
    return shelf, shelf.state().live, new


def steps_of(length, count, chance):
    """Return at which lines to kill: spread over all of them, from the first to the last, the last ones each."""
    spread = (1 + (length * place + chance.randrange(length)) // count for place in range(count))
    return sorted({1, *range(length - 4, length + 1), *spread})


@pytest.mark.parametrize("forward", [True, False], ids=["promote", "undo"])
def test_a_promotion_or_a_roll_back_killed_at_each_step_leaves_one_whole_version_live(
    pair, tmp_path, times, chance, forward
):
    shelf, old, new = pair
    if not forward:
        shelf.promote(new, **WHO)

    def work(path):
        here = open_shelf(path)
        return here.promote(new, **WHO) if forward else here.undo(**WHO)

    before, after = (old, new) if forward else (new, old)
    measured = shutil.copytree(shelf.path, tmp_path / "measured")
    seen = []
    for step in steps_of(length_of(lambda: work(measured)), times(30, 300), chance):
        path = shutil.copytree(shelf.path, tmp_path / f"at-{step}")
        code = end_of(start(killed_at(step, lambda path=path: work(path)), tmp_path / "output"))
        assert code == -signal.SIGKILL, (tmp_path / "output").read_text()
        seen.append(check(open_shelf(path), {before, after}).live)
        if seen[-1] == before:
            assert work(path).live == after  # the next attempt succeeds
        log = open_shelf(path).log()
        assert [entry["number"] for entry in log] == list(range(1, len(log) + 1))
    assert set(seen) == {before, after} and seen == sorted(seen, key=[before, after].index)  # it counts at one step


def test_a_copy_killed_at_each_step_leaves_the_live_version_and_the_next_copy_is_whole(pair, tmp_path, times, chance):
    shelf, old, _ = pair
    length = length_of(lambda: shelf.add(bundle_of(tmp_path / "measured", "measured"), **WHO))
    for place, step in enumerate(steps_of(length, times(15, 100), chance)):
        bundle = bundle_of(tmp_path / f"third-{place}", f"third {place}")
        end_of(
            start(killed_at(step, lambda bundle=bundle: open_shelf(shelf.path).add(bundle, **WHO)), tmp_path / "output")
        )
        check(shelf, {old})
        version = open_shelf(shelf.path).add(bundle, **WHO)
        assert manifest.version(manifest.read(open_shelf(shelf.path).folder(version))) == version


def test_a_shelf_killed_while_it_is_made_can_be_made_again(tmp_path, times, chance):
    bundle = bundle_of(tmp_path / "old", "old")
    length = length_of(lambda: make_shelf(tmp_path / "measured", bundle, **WHO))
    for place, step in enumerate(steps_of(length, times(8, 60), chance)):
        path = tmp_path / f"shelf-{place}"
        end_of(start(killed_at(step, lambda path=path: make_shelf(path, bundle, **WHO)), tmp_path / "output"))
        if not (path / "state.json").exists():
            make_shelf(path, bundle, **WHO)
        check(open_shelf(path), {manifest.version(manifest.read(bundle))})


@pytest.mark.parametrize("share", [0.01, 0.05, 0.10, 0.45])
def test_poisoned_feedback_never_passes_where_it_makes_the_model_worse(
    late_run, flights, tmp_path, times, chance, share
):
    """I3: a share of the labels that are sent to the update is flipped; the last share is a plant that must be refused."""
    count = times(1 if share >= 0.1 else 0, 20)
    if not count:
        pytest.skip("only with --full")
    write(flights, tmp_path / "old.parquet")
    shelf, _ = shelf_of(shutil.copytree(late_run, tmp_path / "late"), table=tmp_path / "old.parquet")
    live, frozen = shelf.state().live, origin_on(shelf.path).frozen
    everything = fathom.read(FLIGHTS)

    def loss(version):
        model = fathom.load(shelf.folder(version))
        said = model.predict(frozen.select([name for name in frozen.names if name != "late"])).to_pylist()
        chances = np.array(
            [row[f"late={truth}"] for row, truth in zip(said, frozen.column("late").to_pylist(), strict=True)]
        )
        return -np.log(np.clip(chances, 1e-7, 1)).mean()

    for _ in range(count):
        seed = chance.randrange(2**31)
        rows = everything.take(np.random.default_rng(seed).permutation(everything.rows)[:1_500])
        late = np.asarray(rows.column("late").to_pylist())
        wrong = np.random.default_rng(seed + 1).permutation(len(late))[: round(share * len(late))]
        late[wrong] = np.where(late[wrong] == "yes", "no", "yes")
        done = update(shelf.path, rows.with_column("late", pa.array(late.tolist())), who="mallory")
        if loss(done.version) > loss(live) + 1e-9:
            assert not done.gate.passed
            with pytest.raises(OptionError, match="gate refused"):
                shelf.promote(done.version, who="mallory")
        elif done.gate.passed:
            assert shelf.promote(done.version, who="ada").live == done.version
            assert shelf.undo(who="ada").live == live
        assert share < 0.4 or not done.gate.passed
        assert shelf.state().live == live
    said = [(entry["what"], entry["who"]) for entry in shelf.log()]
    assert any(what.startswith("gate") and who == "mallory" for what, who in said)
