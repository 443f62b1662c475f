"""What a run says of where its model came from is read as it stands, and from older runs as they wrote it."""

import json
import shutil

import pytest

from fathom.data.rows.splitting import OWN_TEST
from fathom.errors import OutputError
from fathom.renewal.origins import origin_of_run


@pytest.fixture
def run(late_run, tmp_path):
    """A run whose result may be changed."""
    shutil.copytree(late_run, tmp_path / "run")

    def changed(**split):
        path = tmp_path / "run" / "result.json"
        result = json.loads(path.read_bytes())
        result["split"] = {name: one for name, one in {**result["split"], **split}.items() if one is not None}
        path.write_text(json.dumps(result))
        return tmp_path / "run"

    return changed


def test_that_the_test_rows_were_a_file_of_their_own_is_a_field_and_no_prose(run):
    assert not origin_of_run(run()).own_test
    assert origin_of_run(run(own_test=True)).own_test
    assert not origin_of_run(run(own_test=False, how=f"a column named {OWN_TEST!r} parts the rows")).own_test
    with pytest.raises(OutputError, match="does not say how its model was fitted"):
        origin_of_run(run(own_test="no"))


def test_a_run_from_before_there_was_the_field_still_reads(run):
    assert origin_of_run(run(own_test=None, how=f"by a hash of each row; {OWN_TEST}")).own_test
    assert not origin_of_run(run(own_test=None, how="by a hash of each row")).own_test
