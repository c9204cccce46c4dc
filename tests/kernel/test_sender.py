"""Requests sent while others are written, judged by ip(8)."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable

import pytest
from namespace_shell import inside

from netcont.errors import KernelError
from netcont.kernel.namespace import Namespace
from netcont.kernel.requests import encoded
from netcont.kernel.rtnetlink import CHUNK
from netcont.kernel.sender import Sender
from netcont.model.plan import AddAddress, Change

MANY = 5 * CHUNK + 7


def addresses(count: int) -> list[Change]:
    return [AddAddress("here", "lo", f"10.0.{n >> 8}.{n & 255}", 32) for n in range(count)]


def there(node: Namespace) -> list[str]:
    """The addresses of lo, in the order in which they came."""
    (found,) = json.loads(inside(node, "ip -j -4 addr show lo"))
    return [each["local"] for each in found.get("addr_info", []) if each["prefixlen"] == 32]


def send(node: Namespace, sender: Sender, wanted: Iterable[Change]) -> None:
    for change in wanted:
        message = encoded(change, node.index)
        assert message is not None
        sender.add(change, message)


@pytest.mark.parametrize("count", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, MANY])
def test_all_is_made_in_its_order(node: Namespace, count: int) -> None:
    wanted, made = addresses(count), list[Change]()
    with Sender(node, made) as sender:
        send(node, sender, wanted)
        sender.finish()
        assert there(node) == [each.address for each in wanted if isinstance(each, AddAddress)]
    assert made == wanted


def test_more_can_follow_what_is_finished(node: Namespace) -> None:
    wanted, made = addresses(3 * CHUNK), list[Change]()
    with Sender(node, made) as sender:
        for start in range(0, len(wanted), 100):
            send(node, sender, wanted[start : start + 100])
            sender.finish()
    assert made == wanted
    assert len(there(node)) == len(wanted)


@pytest.mark.parametrize("at", [0, CHUNK - 1, 2 * CHUNK, MANY - 1])
def test_the_first_refusal_is_told_and_nothing_is_sent_after_its_batch(
    node: Namespace, at: int
) -> None:
    wanted, made = addresses(MANY), list[Change]()
    wanted[at] = AddAddress("here", "lo", "127.0.0.1", 8)
    with Sender(node, made) as sender:
        with pytest.raises(KernelError, match=r"ip addr add 127\.0\.0\.1/8 dev lo") as caught:
            send(node, sender, wanted)
            sender.finish()
        assert caught.value.errno == errno.EEXIST
    assert wanted[at] not in made
    assert made == [each for each in wanted[: len(made) + 1] if each is not wanted[at]]
    assert len(made) < at + CHUNK
    assert len(there(node)) == len(made), "what is not known to be made would never be undone"


def test_what_was_sent_is_answered_when_the_caller_fails(node: Namespace) -> None:
    wanted, made = addresses(MANY), list[Change]()
    with pytest.raises(ZeroDivisionError), Sender(node, made) as sender:
        send(node, sender, wanted)
        raise ZeroDivisionError
    assert made == wanted[: len(made)]
    assert len(there(node)) == len(made)


def test_a_node_that_cannot_be_asked_is_told(node: Namespace) -> None:
    wanted = addresses(CHUNK)
    with Sender(node, []) as sender:
        send(node, sender, wanted[:-1])
        node.close()
        with pytest.raises(KernelError):
            sender.finish()
