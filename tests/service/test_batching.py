"""The queue: what comes together is answered together, each row its own; what is too late, too much or unwanted is let go."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from fathom.service.host.batching import Batcher, Job
from fathom.service.refusing import Limits, Refused


class Graph:
    """Stands for a graph: twice the number, slowly; a row of 13 makes it fail."""

    def __init__(self, seconds=0.0):
        self.seconds = seconds
        self.sizes = []
        self.free = threading.Event()
        self.free.set()

    def __call__(self, arrays):
        self.free.wait(10)
        time.sleep(self.seconds)
        numbers = arrays["scalar"]
        self.sizes.append(len(numbers))
        if (numbers == 13).any():
            raise ValueError("a row of 13")
        return {"y": 2.0 * numbers[:, 0]}


def job(*numbers, deadline=30.0, gone=lambda: False):
    arrays = {"scalar": np.array(numbers, np.float32)[:, None]}
    return Job(arrays, len(numbers), time.monotonic() + deadline, gone)


def run(graph, ask, **limits):
    """Run ``ask(batcher)`` in a loop of its own."""

    async def within():
        with ThreadPoolExecutor(1) as threads:
            batcher = Batcher(graph, 64, Limits(**limits), threads)
            found = await ask(batcher)
            assert batcher.idle
            return found

    return asyncio.run(within())


def test_every_request_gets_its_own_rows_and_they_share_runs():
    graph = Graph()

    async def ask(batcher):
        jobs = [job(*range(100 * place, 100 * place + place % 5 + 1)) for place in range(1, 60)]
        answers = await asyncio.gather(*(batcher.answer(one) for one in jobs))
        for one, answer in zip(jobs, answers, strict=True):
            assert answer["y"].tolist() == (2.0 * one.arrays["scalar"][:, 0]).tolist()
        return batcher.counts

    counts = run(graph, ask)
    assert counts.rows == sum(graph.sizes)
    assert counts.batches < 20
    assert max(graph.sizes) <= 64


def test_a_row_that_makes_the_graph_fail_fails_alone():
    async def ask(batcher):
        jobs = [job(float(place)) for place in range(30)]
        return await asyncio.gather(*(batcher.answer(one) for one in jobs), return_exceptions=True)

    found = run(Graph(), ask)
    assert isinstance(found[13], ValueError)
    assert all(answer["y"][0] == 2.0 * place for place, answer in enumerate(found) if place != 13)


def test_a_batch_that_fails_is_run_again_in_halves_beside_the_loop_which_goes_on_answering_others():
    """By order: while the halves are held, a client who came later is answered; nothing of a failed batch is run on the loop."""
    order, held, ran_on = [], threading.Event(), []

    def graph(arrays):
        numbers = arrays["scalar"][:, 0]
        ran_on.append((len(numbers), threading.current_thread() is threading.main_thread()))
        if 1 < len(numbers) < 16:
            held.wait(10)
        if (numbers == 13).any():
            raise ValueError("a row of 13")
        return {"y": 2.0 * numbers}

    async def asked(batcher, number):
        try:
            return (await batcher.answer(job(number)))["y"][0]
        finally:
            order.append(number)

    async def within():
        with ThreadPoolExecutor(2) as threads:
            batcher = Batcher(graph, 64, Limits(), threads, lanes=2)
            await batcher.answer(job(0.0))
            batcher.seconds_a_row = 1e-9  # so quick that batches are answered on the loop
            together = [asyncio.ensure_future(asked(batcher, float(place))) for place in range(16)]
            while not batcher.busy:
                await asyncio.sleep(0)
            batcher.lanes = 3  # the halves hold two
            assert await asked(batcher, 99.0) == 198.0
            held.set()
            found = await asyncio.gather(*together, return_exceptions=True)
            assert batcher.idle and not batcher.running
            return found

    found = asyncio.run(within())
    assert order[0] == 99.0
    assert isinstance(found[13], ValueError)
    assert all(answer == 2.0 * place for place, answer in enumerate(found) if place != 13)
    sizes = [size for size, _ in ran_on]
    assert ran_on[1] == (16, True) and sizes.count(1) == 4  # two of them alone: 13 and its neighbour
    assert [size for size, on_loop in ran_on[2:] if on_loop] == [1]  # 99
    assert len(ran_on) == 11  # 2 of 8, 2 of 4, 2 of 2, 2 of 1


def test_whoever_leaves_or_is_late_while_a_failed_batch_is_searched_is_not_worked_for():
    graph = Graph()
    left = []

    async def ask(batcher):
        jobs = [job(13.0, gone=lambda: bool(left))] + [job(float(place), gone=lambda: bool(left)) for place in range(3)]
        asked = [asyncio.ensure_future(batcher.answer(one)) for one in jobs]
        while graph.sizes != [4]:
            await asyncio.sleep(0)
        left.append(True)
        return await asyncio.gather(*asked, return_exceptions=True)

    found = run(graph, ask)
    assert {each.status for each in found if isinstance(each, Refused)} == {499}
    assert sum(graph.sizes) < 10


def test_what_does_not_fit_into_the_queue_is_refused_with_429_and_the_rest_is_answered():
    graph = Graph()
    graph.free.clear()

    async def ask(batcher):
        asked = [asyncio.ensure_future(batcher.answer(job(1.0, 2.0))) for _ in range(20)]
        await asyncio.sleep(0.05)
        assert batcher.waiting_rows <= 10
        graph.free.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    found = run(graph, ask, waiting=10)
    refused = [each for each in found if isinstance(each, Refused)]
    assert {each.status for each in refused} == {429}
    assert refused[0].retry_after >= 1
    assert len(found) - len(refused) >= 5


def test_a_request_whose_time_is_over_gets_504_also_while_a_batch_runs_and_is_not_worked_on():
    graph = Graph()
    graph.free.clear()

    async def ask(batcher):
        first = asyncio.ensure_future(batcher.answer(job(1.0, deadline=0.1)))
        await asyncio.sleep(0.02)
        second = asyncio.ensure_future(batcher.answer(job(2.0, deadline=0.1)))
        start = time.monotonic()
        found = await asyncio.gather(first, second, return_exceptions=True)
        assert time.monotonic() - start < 5
        graph.free.set()
        while not batcher.idle:
            await asyncio.sleep(0.01)
        return found, batcher.counts

    found, counts = run(graph, ask)
    assert [each.status for each in found] == [504, 504]
    assert counts.late == 2
    assert sum(graph.sizes) == 1


def test_who_has_left_is_not_worked_for():
    graph = Graph()
    graph.free.clear()
    left = []

    async def ask(batcher):
        first = asyncio.ensure_future(batcher.answer(job(1.0)))
        await asyncio.sleep(0.02)
        others = [
            asyncio.ensure_future(batcher.answer(job(float(place), gone=lambda place=place: place in left)))
            for place in range(2, 40)
        ]
        await asyncio.sleep(0.02)
        left.extend(range(2, 38))
        graph.free.set()
        await first
        return await asyncio.gather(*others, return_exceptions=True), batcher.counts

    found, counts = run(graph, ask)
    assert [each.status for each in found[:36]] == [499] * 36
    assert [each["y"][0] for each in found[36:]] == [76.0, 78.0]
    assert counts.left == 36
    assert sum(graph.sizes) == 3


def test_a_queue_that_would_not_be_answered_in_time_is_not_joined():
    async def ask(batcher):
        batcher.seconds_a_row = batcher.seconds_a_batch = 1.0
        batcher.waiting_rows = 30
        batcher.waiting.append(job(1.0))
        with pytest.raises(Refused) as refused:
            batcher.check(1, time.monotonic() + 5)
        batcher.waiting.clear()
        batcher.waiting_rows = 0
        batcher.check(1, time.monotonic() + 5)
        return refused.value

    assert run(Graph(), ask).retry_after == 31.0
