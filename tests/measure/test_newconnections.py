from __future__ import annotations

from dataclasses import replace

import pytest

from netcont.measure.newconnections import new_connections
from netcont.measure.timeline import timeline
from netcont.model.outcome import NewConnections

from .builders import answered, before_the_pause, echo, failed, move, record, request

TIMES = timeline(record())


def test_attempts_after_the_resume_are_counted_and_the_longest_wait_is_told() -> None:
    quick = request((*before_the_pause(), answered(103.3)), name="one")
    slow = request((*before_the_pause(), failed(103.1), failed(104.1), answered(105.1)), name="two")
    found = new_connections([quick, slow, echo()], TIMES)
    assert found is not None
    # The attempt that was under way when the guest resumed is none of the new ones.
    assert (found.attempted, found.failed) == (3, 1)
    assert found.unreachable_s == pytest.approx(105.175 - 102.575)


def test_a_client_that_never_succeeds_again_leaves_the_wait_open() -> None:
    lucky = request((*before_the_pause(), answered(103.3)), name="one")
    lost = request((*before_the_pause(), failed(103.3)), name="two")
    found = new_connections([lucky, lost], TIMES)
    assert found is not None
    assert (found.attempted, found.failed, found.unreachable_s) == (2, 1, None)


def test_without_request_clients_nothing_is_said() -> None:
    assert new_connections([echo()], TIMES) is None
    assert new_connections([replace(request(), disturbed="late")], TIMES) is None


def test_a_guest_that_never_ran_again_is_unreachable_without_end() -> None:
    times = timeline(record(moved=move("failed", thawed_s=None)))
    found = new_connections([request((*before_the_pause(), failed(103.5)))], times)
    assert found == NewConnections(attempted=1, failed=1, unreachable_s=None)
