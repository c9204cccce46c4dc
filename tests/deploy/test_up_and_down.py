"""up, down, status, plan, confirm as commands, on a gateway with foreign things on it."""

from __future__ import annotations

import json
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from netcont.deploy.builder import Builder
from netcont.deploy.converge import Kernel
from netcont.deploy.half import Half
from netcont.deploy.here import Here
from netcont.errors import KernelError, PrerequisiteError
from netcont.model.deployment import SideName
from netcont.model.plan import AddRoute, Plan

from .bench import AT_B, Ended, Gateway, difference, needs_root
from .effects import Effects
from .files import ROUTED, SEGMENT, TUNNEL, deployment

pytestmark = needs_root


@pytest.fixture
def segment(tmp_path: Path) -> str:
    return written(tmp_path, SEGMENT, "seg")


def written(directory: Path, text: str, name: str = "web") -> str:
    path = directory / f"{name}.toml"
    path.write_text(text)
    return str(path)


def right(ended: Ended) -> str:
    assert ended.status == 0, ended.said
    return ended.said


def refused(ended: Ended, *words: str) -> None:
    assert ended.status in (2, 5), ended.said
    assert "Traceback" not in ended.said
    for word in words:
        assert word in ended.said, ended.said


def test_up_twice_is_one_up(host: Gateway, segment: str) -> None:
    assert "seg: up as side a" in right(host.cli("up", segment, "--side", "a"))
    after, links = host.snapshot(), host.sh("ip -o link | cut -d: -f1,2")
    assert "was up already" in right(host.cli("up", segment, "--side", "a"))
    assert host.snapshot() == after
    assert host.sh("ip -o link | cut -d: -f1,2") == links


def test_down_needs_no_file(host: Gateway, segment: str) -> None:
    before = host.snapshot()
    right(host.cli("up", segment, "--side", "a"))
    Path(segment).unlink()
    assert "seg: down" in right(host.cli("down", segment))
    assert difference(before, host.snapshot()) == []
    assert "seg: is not deployed here" in right(host.cli("down", "seg"))


def test_a_changed_file_is_gone_to_in_one_step(host: Gateway, tmp_path: Path) -> None:
    before = host.snapshot()
    file = written(tmp_path, ROUTED)
    right(host.cli("up", file, "--side", "a"))
    kept = host.sh("ip -o link show nc-vx100")
    written(tmp_path, ROUTED.replace("vni = 101", "vni = 102").replace("10.3.", "10.4."))
    planned = host.cli("plan", file, "--side", "a").said
    assert "- ip link del nc-vx101" in planned
    assert "= ip link add nc-vx100" in planned
    assert "+ ip link add nc-vx102" in planned
    right(host.cli("up", file, "--side", "a"))
    assert host.sh("ip -o link show nc-vx100") == kept
    assert "nc-vx101" not in host.sh("ip -o link | cut -d: -f1,2")
    assert "10.4.0.0/16" in host.sh("ip route show dev nc-vx102")
    right(host.cli("down", file))
    assert difference(before, host.snapshot()) == []


def test_a_bridge_that_is_not_netconts_keeps_its_address_and_mtu(
    host: Gateway, segment: str
) -> None:
    was = host.sh("ip -o link show br0 | grep -o 'mtu [0-9]*\\|ether [0-9a-f:]*'")
    right(host.cli("up", segment, "--side", "a"))
    assert host.sh("ip -o link show br0 | grep -o 'mtu [0-9]*\\|ether [0-9a-f:]*'") == was


@pytest.mark.parametrize("text", [ROUTED, SEGMENT], ids=["routed", "segment"])
def test_the_printed_lines_typed_by_hand_do_the_same(
    host: Gateway, tmp_path: Path, text: str
) -> None:
    file = written(tmp_path, text)
    right(host.cli("up", file, "--side", "a"))
    applied = host.snapshot()
    right(host.cli("down", file))
    lines = host.cli("plan", file, "--side", "a").said.splitlines()
    host.sh("\n".join(line[2:] for line in lines if line.startswith("+ ")))
    assert difference(applied, host.snapshot()) == []


FOREIGN = {
    "the name": ("ip link add nc-vx100 type bridge", "name nc-vx100 is taken by a foreign bridge"),
    "the VNI": (
        "ip link add vx9 type vxlan id 100 dstport 9 local 192.0.2.1",
        "vx9 takes the same",
    ),
    "the route": ("ip route add 10.2.0.0/16 via 192.0.2.254", "it is there already"),
}


@pytest.mark.parametrize("case", FOREIGN)
def test_what_is_foreign_is_refused_and_left_alone(
    host: Gateway, tmp_path: Path, case: str
) -> None:
    command, said = FOREIGN[case]
    host.sh(command)
    before = host.snapshot()
    file = written(tmp_path, ROUTED)
    refused(host.cli("up", file, "--side", "a"), said)
    refused(host.cli("plan", file, "--side", "a"), said)
    right(host.cli("recover"))
    right(host.cli("down", file))
    assert difference(before, host.snapshot()) == []


HERE = {
    "no such address": (ROUTED, "192.0.2.1", "192.0.2.9", "this host has no address 192.0.2.9"),
    "no such bridge": (SEGMENT, '"br0"', '"br7"', "no link 'br7'"),
    "no bridge": (SEGMENT, '"br0"', '"wan0"', "wan0 is no bridge"),
    "both addresses": (ROUTED, "198.51.100.1", "10.1.0.1", "10.1.0.1 is this host's own"),
    "a narrow path": (ROUTED, "[side.a]", "path_mtu_bytes = 9000\n[side.a]", "wan0 takes 1500"),
    "a bridge's MTU": (SEGMENT, "fragment = true", "", "would lower that of br0"),
}


@pytest.mark.parametrize("case", HERE)
def test_what_this_host_cannot_do_is_refused_first(
    host: Gateway, tmp_path: Path, case: str
) -> None:
    text, old, new, said = HERE[case]
    before = host.snapshot()
    refused(host.cli("up", written(tmp_path, text.replace(old, new)), "--side", "a"), said)
    assert difference(before, host.snapshot()) == []


def test_no_way_to_the_remote_is_refused(host: Gateway, tmp_path: Path) -> None:
    host.sh("ip route del default")
    refused(host.cli("up", written(tmp_path, ROUTED), "--side", "a"), "no route to 198.51.100.1")


def test_a_kernel_without_the_module_is_refused(host: Gateway, tmp_path: Path) -> None:
    if Path("/sys/module/ip_gre").exists():
        pytest.skip("this kernel has GRE")
    refused(host.cli("up", written(tmp_path, TUNNEL), "--side", "a"), "no gre", "modprobe ip_gre")


def test_a_host_that_does_not_forward_is_refused(host: Gateway, tmp_path: Path) -> None:
    host.sh("sysctl -qw net.ipv4.ip_forward=0")
    refused(host.cli("up", written(tmp_path, TUNNEL), "--side", "a"), "ip_forward is 0")


INNER = 'addresses = { a = "10.255.0.1/30", b = "10.255.0.2/30" }'
FILTERS = {
    "strict": ("1", "", "", "rp_filter is 1 (strict)"),
    "loose, direct return": ("2", "", "reverse = false", "rp_filter is 2 (loose)"),
    "loose, direct return, addresses": ("2", INNER, "reverse = false", ""),
    "loose, reverse tunnel": ("2", "", "", ""),
}


@pytest.mark.parametrize("case", FILTERS)
def test_a_filter_that_drops_what_comes_out_of_the_tunnel_is_refused(
    host: Gateway, tmp_path: Path, case: str
) -> None:
    value, addresses, reverse, said = FILTERS[case]
    host.sh(f"{AT_B}\nsysctl -qw net.ipv4.conf.all.rp_filter={value}")
    text = TUNNEL.replace("key = 42", f"key = 42\n{addresses}") + reverse
    ended = host.cli("plan", written(tmp_path, text), "--side", "b")
    if said:
        refused(ended, said, "sysctl -w net.ipv4.conf.all.rp_filter=0")
    else:
        right(ended)


def test_status_shows_what_was_lost_and_up_puts_it_back(host: Gateway, tmp_path: Path) -> None:
    file = written(tmp_path, ROUTED)
    right(host.cli("up", file, "--side", "a"))
    after = host.snapshot()
    assert "web: side a, up" in right(host.cli("status"))
    host.sh("ip route del 10.2.0.0/16; ip link set nc-vx101 mtu 1400; ip link set nc-vx100 down")
    status = host.cli("status", "--format", "json")
    assert status.status == 1
    (found,) = json.loads(status.said)["deployments"]
    assert found["state"] == "changed"
    lost = {each["command"]: each["state"] for each in found["objects"]}
    assert lost['ip link set nc-vx100 alias "netcont web" up'] == "changed"
    assert lost["ip route add 10.2.0.0/16 via 10.255.0.2 dev nc-vx100 proto 77"] == "missing"
    assert sorted(found["links"]) == ["nc-vx100", "nc-vx101"]
    right(host.cli("up", file, "--side", "a"))
    assert difference(after, host.snapshot()) == []


def test_the_other_side_is_not_put_beside_the_first(host: Gateway, tmp_path: Path) -> None:
    file = written(tmp_path, ROUTED)
    right(host.cli("up", file, "--side", "a"))
    refused(host.cli("up", file, "--side", "b"), "up here as side a")


def test_the_second_of_two_at_once_waits_or_is_refused(host: Gateway, segment: str) -> None:
    from netcont.deploy.lock import locked

    def hold_and_try() -> int:
        with Here() as node:
            engine = Builder(node, host.state)
            with locked(engine._lock):
                child = host.cli("up", segment, "--side", "a", "--wait", "0.2")
        refused(child, "another netcont (process")
        return 0

    right(host.run(hold_and_try))
    right(host.cli("up", segment, "--side", "a", "--wait", "0"))


def test_whoever_waits_is_told_for_whom(host: Gateway, segment: str) -> None:
    from netcont.deploy.lock import locked

    def hold_and_try() -> int:
        with Here() as node:
            engine = Builder(node, host.state)
            with locked(engine._lock):
                child = host.cli("down", "seg", "--wait", "1.2")
        refused(child, f"waiting for another netcont (process {os.getpid()}), 1.2 s at most")
        return 0

    right(host.run(hold_and_try))


def test_a_misspelt_name_is_not_taken_for_one_that_is_down(host: Gateway, segment: str) -> None:
    right(host.cli("up", segment, "--side", "A"))
    ended = host.cli("status", "sgm")
    assert (ended.status, ended.said) == (1, "sgm: is not deployed here (here: seg)\n")
    assert right(host.cli("down", "sgm")) == "sgm: is not deployed here (here: seg)\n"
    assert json.loads(host.cli("status", "sgm", "--format", "json").said)["deployments"] == []
    assert right(host.cli("status")).startswith("seg: side a, up")


class Refused(Half):
    """Its last route, by a way that is not there, passes every check but the kernel's own."""

    def plan(self) -> Plan:
        return super().plan() + Plan((AddRoute("host", "10.9.0.0/16", via="10.250.0.1"),))


def refused_by_the_kernel(host: Gateway, text: str) -> None:
    def inside() -> int:
        half = Refused(deployment(text), SideName.A, "web")
        with Here() as node, pytest.raises(KernelError, match=r"10\.9\.0\.0/16"):
            Builder(node, host.state).up(half, "web.toml")
        return 0

    right(host.run(inside))


def test_if_the_kernel_refuses_in_the_middle_all_is_undone(host: Gateway) -> None:
    before = host.snapshot()
    refused_by_the_kernel(host, ROUTED)
    assert difference(before, host.snapshot()) == []
    assert "nothing is deployed" in right(host.cli("status"))


def test_if_the_kernel_refuses_an_update_what_stood_stands(host: Gateway, tmp_path: Path) -> None:
    file = written(tmp_path, ROUTED)
    right(host.cli("up", file, "--side", "a"))
    after = host.snapshot()
    refused_by_the_kernel(host, ROUTED.replace("10.3.", "10.4.").replace("vni = 101", "vni = 102"))
    assert difference(after, host.snapshot()) == []
    assert "was up already" in right(host.cli("up", file, "--side", "a"))


def test_nothing_is_changed_if_the_record_cannot_be_written(host: Gateway, segment: str) -> None:
    before = host.snapshot()
    host.state.mkdir()
    host.sh(f"mount -t tmpfs -o size=4k,nr_inodes=2 none {host.state} 2>/dev/null || true")
    if not os.path.ismount(host.state):
        pytest.skip("no tmpfs can be mounted here")
    try:
        refused(host.cli("up", segment, "--side", "a"), "cannot be")
        assert difference(before, host.snapshot()) == []
    finally:
        host.sh(f"umount {host.state}")


def test_settings_that_two_deployments_share_stay_until_the_last_is_down(host: Gateway) -> None:
    from .test_killed import OverVxlan, act

    host.sh(AT_B)
    before = host.snapshot()
    one = OverVxlan(deployment(TUNNEL), SideName.B, "one")
    text = TUNNEL.replace("10.1.0.10", "10.1.0.11").replace("key = 42", 'name = "nc-2"\ntable = 8')

    class Other(OverVxlan):
        def _tunnel(self, tunnel):  # type: ignore[no-untyped-def]
            for change in super()._tunnel(tunnel):
                same = hasattr(change, "vni")
                yield type(change)(**{**vars(change), "vni": 43}) if same else change

    two = Other(deployment(text), SideName.B, "two")
    act(host, one, "up")
    act(host, two, "up")
    act(host, one, "down")
    assert host.sh("sysctl -n net.ipv4.conf.lan0.proxy_arp").strip() == "1"
    act(host, two, "down")
    assert difference(before, host.snapshot()) == []


def test_plan_and_status_work_without_root(host: Gateway, segment: str) -> None:
    right(host.cli("up", segment, "--side", "a"))
    Path(segment).parent.chmod(0o755)

    def as_nobody(*words: str) -> Ended:
        from netcont.cli.main import main

        def inside() -> int:
            # Nobody may not be able to read this Python: all that is needed is imported first.
            main([*words, "--state-dir", str(host.state)])
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            return main([*words, "--state-dir", str(host.state)])

        return host.run(inside)

    host.sh(f"d={host.state}; while [ $d != / ]; do chmod o+rx $d; d=$(dirname $d); done")
    assert "5 of 5" in right(as_nobody("status"))
    assert "0 of" in right(as_nobody("plan", segment, "--side", "a"))
    refused(as_nobody("up", segment, "--side", "a"), "CAP_NET_ADMIN", "run as root")


def wait_for_down(host: Gateway) -> None:
    until = time.monotonic() + 30
    while "nothing is deployed" not in host.cli("status").said:
        assert time.monotonic() < until
        time.sleep(0.1)


def test_what_is_not_confirmed_is_reverted_although_the_session_is_lost(
    host: Gateway, segment: str
) -> None:
    before = host.snapshot()

    def session() -> int:
        from netcont.cli.main import main

        os.setsid()
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the suite itself may run under nohup
        status = main(["up", segment, "--side", "a", "--confirm-within", "2", "--no-probe"])
        os.killpg(0, signal.SIGHUP if status == 0 else signal.SIGKILL)
        return status

    assert host.run(session).status == -signal.SIGHUP
    assert "unless confirmed" in host.cli("status").said
    wait_for_down(host)
    assert difference(before, host.snapshot()) == []


def test_what_is_confirmed_stays(host: Gateway, segment: str) -> None:
    right(host.cli("up", segment, "--side", "a", "--confirm-within", "2"))
    right(host.cli("confirm", "seg"))
    after = host.snapshot()
    time.sleep(3)
    assert difference(after, host.snapshot()) == []
    refused(host.cli("confirm", "seg"), "nothing waits")


def test_an_unconfirmed_change_goes_back_to_what_stood(host: Gateway, tmp_path: Path) -> None:
    file = written(tmp_path, ROUTED)
    right(host.cli("up", file, "--side", "a"))
    after = host.snapshot()
    written(tmp_path, ROUTED.replace("10.3.", "10.4."))
    right(host.cli("up", file, "--side", "a", "--confirm-within", "1"))
    until = time.monotonic() + 30
    while "unless confirmed" in host.cli("status").said:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert difference(after, host.snapshot()) == []


def test_without_a_watch_nothing_is_changed(host: Gateway) -> None:
    before = host.snapshot()
    half = Half(deployment(ROUTED), SideName.A, "web")

    def no_watch(*_: object) -> None:
        raise PrerequisiteError("systemd-run: no")

    def inside() -> int:
        with Here() as node:
            engine = Builder(node, host.state)
            with pytest.raises(PrerequisiteError, match="systemd-run"):
                engine.up(half, "web.toml", confirm_within_s=60, watch=no_watch)
            assert engine.records.read("web") is None
            assert engine.up(half, "web.toml")
            stands = engine.records.read("web")
            with pytest.raises(PrerequisiteError, match="systemd-run"):
                engine.up(
                    replace(half, switched=True),
                    "web.toml",
                    switched=True,
                    confirm_within_s=60,
                    watch=no_watch,
                )
            assert engine.records.read("web") == stands
            assert engine.down("web")
        return 0

    right(host.run(inside))
    assert difference(before, host.snapshot()) == []


def test_a_guest_on_a_segment_is_switched_although_nothing_has_to_be_made(
    host: Gateway, tmp_path: Path
) -> None:
    guest = '[guest]\naddress = "10.1.0.10"\nfrom = "b"\nmac = "02:00:00:00:00:0a"\n'
    file = written(tmp_path, SEGMENT + guest)
    right(host.cli("up", file, "--side", "a"))
    said = right(host.cli("up", file, "--side", "a", "--switch"))
    assert said == "web: up as side a, guests switched\n"
    assert "guests switched" in host.cli("status").said
    said = right(host.cli("up", file, "--side", "a"))
    assert said == "web: was up already as side a, guests switched\n"
    assert right(host.cli("up", file, "--side", "a", "--no-switch")) == "web: up as side a\n"
    right(host.cli("down", file))


def test_the_watch_is_not_needed_if_someone_looks_later(host: Gateway) -> None:
    before = host.snapshot()
    half = Half(deployment(ROUTED), SideName.A, "web")

    def inside() -> int:
        with Here() as node:
            engine = Builder(node, host.state)
            engine.up(half, "web.toml", confirm_within_s=0.01, watch=lambda *_: None)
            time.sleep(0.1)
            assert engine.recover() == ["web: taken back"]
            assert not Kernel(node, "").facts(()).links.keys() & {"nc-vx100"}
        return 0

    right(host.run(inside))
    assert difference(before, host.snapshot()) == []


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_waits_until_the_kernel_is_in_one_state(host: Gateway, signum: int) -> None:
    half = Half(deployment(ROUTED), SideName.A, "web")

    def inside() -> int:
        signal.signal(signum, signal.SIG_DFL)
        with Here() as node:
            Effects(2, host.state, lambda: os.kill(os.getpid(), signum)).watch()
            Builder(node, host.state).up(half, "web.toml")
        return 0

    assert host.run(inside).status == -signum
    assert "web: side a, up" in right(host.cli("status"))
