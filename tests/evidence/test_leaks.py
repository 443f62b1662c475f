"""Every type of leak is found where it was planted, and no clean table raises an alarm: a tenth of what `python -m bench.leaks` counts."""

import pytest

from bench.leaks import TYPES, searched


@pytest.mark.parametrize("kind", TYPES)
def test_a_leak_is_found_and_a_clean_table_raises_no_alarm(kind):
    for index in range(1 if "file" in kind else 2):
        found, column = searched(kind, index, leak=True)
        assert column in [row["column"] for row in found.rows], (index, found.sentence)
        assert found.remedy
        clean, _ = searched(kind, index, leak=False)
        assert clean.answer == "nothing found", (index, clean.sentence)
