"""Waiting for a link to carry frames, in a namespace of its own, judged by ip(8)."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator

import pytest

from netcont.errors import KernelError
from netcont.kernel.link_news import LinkNews
from netcont.kernel.namespace import Namespace, create_namespace

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root")


@pytest.fixture
def node() -> Iterator[Namespace]:
    pid = create_namespace()
    try:
        with Namespace("n", pid) as one:
            ip(one, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
            yield one
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def ip(node: Namespace, *words: str) -> str:
    command = ["nsenter", f"--net=/proc/{node.pid}/ns/net", "ip", *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_after_the_wait_frames_go_through_the_link(node: Namespace) -> None:
    ip(node, "link", "set", "eth1", "up")
    with LinkNews(node) as news:
        ip(node, "link", "set", "eth0", "up")
        news.wait_running("eth0", 5)
        (found,) = json.loads(ip(node, "-j", "link", "show", "eth0"))
    assert found["operstate"] == "UP"


def test_a_link_of_which_nothing_is_known_is_not_taken_for_running(node: Namespace) -> None:
    """As one that was just made: its flags say that it runs, and its port need not forward yet."""
    ip(node, "link", "set", "lo", "up")
    (found,) = json.loads(ip(node, "-j", "link", "show", "lo"))
    assert (found["operstate"], "LOWER_UP" in found["flags"]) == ("UNKNOWN", True)
    with LinkNews(node) as news, pytest.raises(KernelError, match="lo has no carrier"):
        news.wait_running("lo", 0.01)


def test_a_link_that_runs_already_is_not_waited_for(node: Namespace) -> None:
    with LinkNews(node) as news:
        for link in ("eth1", "eth0"):
            ip(node, "link", "set", link, "up")
        news.wait_running("eth0", 5)
    with LinkNews(node) as news:
        news.wait_running("eth0", 0)


def test_a_link_whose_other_end_is_down_is_named(node: Namespace) -> None:
    ip(node, "link", "set", "eth0", "up")
    with (
        LinkNews(node) as news,
        pytest.raises(KernelError, match=r"n: eth0 has no carrier after 0\.01 s"),
    ):
        news.wait_running("eth0", 0.01)
