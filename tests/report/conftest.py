"""Every sample's report, for tests that hold of all of them."""

import pytest

from tests.report.reading import SAMPLES, page_of


@pytest.fixture(params=list(SAMPLES))
def pages(request):
    return page_of(SAMPLES[request.param])
