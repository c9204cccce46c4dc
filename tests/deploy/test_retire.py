"""netcont retire: as down, but never under a connection that needs the path."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path

import pytest

from netcont.deploy.flows import TRACK
from netcont.kernel.namespace import Namespace
from netcont.lab.cache import find_lab_files, lab_environment

from .bench import Gateway, difference, needs_root
from .files import ROUTED

pytestmark = needs_root

FAR = "10.3.0.9"


@pytest.fixture
def routed(host: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    """A routed segment stands."""
    if shutil.which("nft") is None:
        for key, value in lab_environment(find_lab_files()).items():
            monkeypatch.setenv(key, value)
    file = tmp_path / "web.toml"
    file.write_text(ROUTED)
    ended = host.cli("up", str(file), "--side", "a")
    assert ended.status == 0, ended.said
    return host


def track(host: Gateway, forgotten_after_s: int = 60) -> None:
    host.sh(TRACK)
    host.sh(f"sysctl -qw net.netfilter.nf_conntrack_udp_timeout={forgotten_after_s}")


def speak(host: Gateway) -> socket.socket:
    """A datagram goes to the far side; the socket stays open, and connected to nobody."""
    with Namespace("host", host.pid) as node, node.entered():
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.sendto(b"x", (FAR, 9))
    return one


def test_what_nothing_uses_is_taken_down(routed: Gateway) -> None:
    track(routed)
    before = routed.sh("ip -o link")
    ended = routed.cli("retire", "web")
    assert (ended.status, ended.said) == (0, "web: down\n")
    assert "nc-vx100" in before
    assert "nc-vx100" not in routed.sh("ip -o link")
    assert "is not deployed here" in routed.cli("retire", "web").said


def test_a_connection_that_uses_the_path_keeps_it(routed: Gateway) -> None:
    track(routed)
    before = routed.snapshot()
    with speak(routed):
        ended = routed.cli("retire", "web")
    assert ended.status == 1, ended.said
    assert "Traceback" not in ended.said
    for word in ("in use by 1 connection", f"{FAR}:9", "--force", "--drain"):
        assert word in ended.said
    assert difference(before, routed.snapshot()) == []


def test_with_drain_it_goes_when_the_last_connection_is_gone(routed: Gateway) -> None:
    track(routed, forgotten_after_s=1)
    with speak(routed):
        ended = routed.cli("retire", "web", "--drain", "20")
    assert ended.status == 0, ended.said
    assert "1 connection left" in ended.said
    assert "nc-vx100" not in routed.sh("ip -o link")


def test_force_breaks_what_uses_it(routed: Gateway) -> None:
    track(routed)
    with speak(routed):
        assert routed.cli("retire", "web", "--force").status == 0
    assert "nc-vx100" not in routed.sh("ip -o link")


def test_where_nothing_is_tracked_it_is_refused_with_what_mends_that(routed: Gateway) -> None:
    ended = routed.cli("retire", "web", "--drain", "30")
    assert ended.status == 1
    assert "may be in use" in ended.said
    assert TRACK in ended.said
    assert "nc-vx100" in routed.sh("ip -o link")


def test_a_socket_of_the_gateway_itself_counts_without_any_tracking(routed: Gateway) -> None:
    with speak(routed) as one:
        one.connect((FAR, 9))
        ended = routed.cli("retire", "web")
    assert ended.status == 1
    assert f"-> {FAR}:9 (socket)" in ended.said


def test_a_program_reads_which_connections_keep_it_and_when_it_is_gone(routed: Gateway) -> None:
    track(routed)
    with speak(routed):
        refused = routed.cli("retire", "web", "--format", "json")
        shown = json.loads(routed.cli("status", "--format", "json").said)["deployments"][0]
    assert refused.status == 1
    said = json.loads(refused.said)
    assert (said["name"], said["state"], said["connections"]["count"]) == ("web", "in-use", 1)
    (listed,) = said["connections"]["listed"]
    assert (listed["destination"], listed["destination_port"]) == (FAR, 9)
    assert set(said["connections"]) == set(shown["connections"])
    assert "--drain" in said["error"]["remedy"]

    ended = routed.cli("retire", "web", "--force", "--format", "json")
    assert json.loads(ended.said)["state"] == "down"
    assert json.loads(ended.said)["connections"] is None
    ended = routed.cli("retire", "web", "--format", "json")
    assert (ended.status, json.loads(ended.said)["state"]) == (0, "absent")


def test_a_program_reads_why_nothing_can_be_seen(routed: Gateway) -> None:
    ended = routed.cli("retire", "web", "--format", "json")
    said = json.loads(ended.said)
    assert (ended.status, said["state"], said["connections"]["count"]) == (1, "unknown", 0)
    assert TRACK in " ".join(said["connections"]["unseen"])
    assert "may be in use" in said["error"]["message"]


def as_if_later(host: Gateway, by_s: int) -> None:
    """Entries have that much less left than what they would begin with, as after that time."""
    for each in ("udp_timeout", "udp_timeout_stream"):
        host.sh(f"sysctl -qw net.netfilter.nf_conntrack_{each}={60 + by_s}")


def test_with_an_idle_timeout_it_goes_under_a_connection_that_was_silent_for_so_long(
    routed: Gateway,
) -> None:
    track(routed, forgotten_after_s=60)
    with speak(routed):
        as_if_later(routed, by_s=3600)
        refused = routed.cli("retire", "web", "--idle-timeout", "4000")
        again = routed.cli("retire", "web")
        ended = routed.cli("retire", "web", "--idle-timeout", "3000")
    assert (refused.status, again.status) == (1, 1)
    assert "idle for 3" in refused.said
    assert ended.status == 0, ended.said
    assert ended.said.startswith("left out as idle: 1 connection:\n  udp ")
    assert ended.said.endswith("web: down\n")


def test_a_program_reads_which_connections_were_left_out(routed: Gateway) -> None:
    track(routed, forgotten_after_s=60)
    with speak(routed):
        as_if_later(routed, by_s=3600)
        ended = routed.cli("retire", "web", "--idle-timeout", "3000", "--format", "json")
    said = json.loads(ended.said)["connections"]
    assert (said["count"], said["idle_count"]) == (0, 1)
    assert said["idle_listed"][0]["destination"] == FAR
    assert said["idle_listed"][0]["idle_s"] >= 3000


def test_where_the_time_left_tells_nothing_the_connection_is_watched(routed: Gateway) -> None:
    track(routed, forgotten_after_s=600)
    routed.sh("nft 'table inet x { ct timeout t { protocol tcp ; policy = { close : 9 } ; } ; }'")
    with speak(routed):
        as_if_later(routed, by_s=3600)
        refused = routed.cli("retire", "web", "--idle-timeout", "2")
        ended = routed.cli("retire", "web", "--idle-timeout", "2", "--drain", "60")
    assert refused.status == 1
    assert "idle" not in refused.said.partition("remedy")[0]
    assert ended.status == 0, ended.said
    assert "1 connection left" in ended.said


def test_status_says_what_uses_a_deployment(routed: Gateway) -> None:
    track(routed)
    with speak(routed):
        shown = json.loads(routed.cli("status", "--format", "json").said)
        text = routed.cli("status", "--verbose").said
    (one,) = shown["deployments"]
    assert one["connections"]["count"] == 1
    assert one["connections"]["unseen"] == []
    assert one["connections"]["listed"][0]["destination"] == FAR
    assert "in use by 1 connection\n" in text
    assert f"-> {FAR}:9" in text


def test_status_without_privileges_says_that_it_cannot_see_connections(routed: Gateway) -> None:
    def unprivileged() -> int:
        from netcont.cli.main import main

        os.setuid(65534)
        os.environ["NETCONT_STATE_DIR"] = str(routed.state)
        return main(["status"])

    for each in [routed.state, *routed.state.parents]:
        if each.stat().st_uid == os.getuid() and each != Path("/"):
            each.chmod(each.stat().st_mode | 0o055)
    ended = routed.run(unprivileged)
    assert ended.status == 0, ended.said
    assert "root only" in ended.said
