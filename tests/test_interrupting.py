"""A wish to stop is not lost, whatever Python was doing when it came."""

import contextlib
import os
import signal

import pytest

from fathom.interrupting import stoppable


@pytest.mark.parametrize(("number", "expected"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_wish_that_a_callback_swallowed_is_raised_at_the_next_news(number, expected):
    before = signal.getsignal(number)
    with pytest.raises(expected), stoppable() as wish:
        with contextlib.suppress(BaseException):  # as a callback of the garbage collector does
            os.kill(os.getpid(), number)
        wish.advance(1)
        pytest.fail("the job went on")
    assert signal.getsignal(number) is before


def test_without_a_wish_news_are_only_heard():
    with stoppable() as wish:
        wish.begin("Reading", 3), wish.advance(1), wish.measure(1, {}), wish.end(), wish.say("so it is")
