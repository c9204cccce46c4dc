"""Deployments on a host with systemd: the watch is a unit, an agent a scope, and a unit brings them
up at boot."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from netcont.deploy.managers import SAMPLES

from .bench import Bench, bench, dump
from .systemd_host import SYSTEMD, SystemdHost, systemd_host

pytestmark = [
    pytest.mark.network(lab="systemd"),
    pytest.mark.usefixtures("lab"),
    pytest.mark.skipif(not SYSTEMD.exists(), reason="systemd is not installed"),
]

ROOT = Path(__file__).parents[2]
NETCONT = Path("/usr/local/bin/netcont")
FILE = Path("/etc/netcont/web.toml")
UNIT = "netcont@.service"
TUNNEL = """
[side.a]
address = "10.9.0.1"
[side.b]
address = "10.9.0.2"
[tunnel]
kind = "gre"
addresses = { a = "10.255.0.1/30", b = "10.255.0.2/30" }
"""
GUEST = """
[guest]
address = "10.1.0.10"
from = "a"
"""
AGENT = """
[side.a]
address = "10.9.0.1"
link = "br0"
prefix = "10.1.0.0/24"
[side.b]
address = "10.9.0.2"
link = "br0"
prefix = "10.2.0.0/24"
[home_agent]
spi = 1000
key_file = "guest.key"
[guest]
address = "10.1.0.10"
from = "a"
"""
UP = f"{NETCONT} up {FILE} --side a"
STATUS = f"{NETCONT} status"
# A service that has ended takes along whatever it started.
SESSION = f"""
[Service]
Type=oneshot
Environment=PATH={os.environ["PATH"]}
ExecStart=/bin/sh -c 'sleep 99999 & exec {UP}'
"""
# The lab's clock jumps while a program is read from the host.
PATIENT = """
import sys
from netcont.agent import process
from netcont.cli.main import main
process._READY_LIMIT_S = process._STOP_LIMIT_S = process._LOOK_LIMIT_S = 7200.0
sys.exit(main())
"""


@pytest.fixture(autouse=True)
def installed(lab: Path) -> None:
    """As the page has it; it goes with the lab."""
    for path, text in {
        NETCONT: f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m netcont "$@"\n',
        FILE: TUNNEL,
        FILE.with_name("side"): "SIDE=a\n",
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    NETCONT.chmod(0o755)


@pytest.fixture
def place(lab: Path) -> Iterator[Bench]:
    with bench() as built:
        yield built


def running(host: SystemdHost) -> None:
    host.wait("systemctl is-system-running", "running")


def test_a_change_that_nobody_confirms_is_reverted_by_a_unit(place: Bench, tmp_path: Path) -> None:
    with systemd_host(place.own, tmp_path, {}) as host:
        running(host)
        # The session is killed as soon as netcont has ended.
        said = host.sh(f"setsid -w /bin/sh -c '{UP} --confirm-within 60; kill -9 -- -$$'")
        assert "reverts in 60 s unless you say: netcont confirm web" in said
        units = host.sh("systemctl list-units --no-legend --plain 'netcont-revert-*'")
        assert ".service loaded active running" in units
        (unit,) = [line.split()[0] for line in units.splitlines()]
        assert "netcont.deploy.watch" in host.sh(f"systemctl show -p ExecStart {unit}")
        assert "nc-tun" in host.sh("ip -o link")
        host.wait("ip -o link show dev nc-tun", "does not exist")
        host.wait(f"systemctl is-active {unit}", "inactive")
        assert "nothing is deployed here" in host.sh(STATUS)


def test_what_is_confirmed_outlives_the_unit(place: Bench, tmp_path: Path) -> None:
    with systemd_host(place.own, tmp_path, {}) as host:
        running(host)
        assert "reverts in 60 s" in host.sh(f"{UP} --confirm-within 60")
        assert "web: stays" in host.sh(f"{NETCONT} confirm web")
        host.wait("systemctl list-units --no-legend 'netcont-revert-*' | wc -l", "0")
        assert "web: side a, up" in host.sh(STATUS)
        assert "web: down" in host.sh(f"{NETCONT} down web")


def test_the_unit_brings_it_up_at_boot_once_the_address_is_there_and_puts_back_what_was_lost(
    place: Bench, tmp_path: Path
) -> None:
    units = {UNIT: (SAMPLES / "systemd/system" / UNIT).read_text()}
    place.own.route.flush_addr(label="a0")
    with systemd_host(place.own, tmp_path, units, wanted=("netcont@web.service",)) as host:
        show = "systemctl show -p ActiveState,SubState,NRestarts,Result netcont@web"
        host.wait(show, "NRestarts=1")
        assert "nothing is deployed here" in host.sh(STATUS)
        host.sh("ip addr add 10.9.0.1/24 dev a0")
        host.wait(show, "SubState=exited")
        assert "web: side a, up" in host.sh(STATUS)
        host.sh("ip link del nc-tun")
        assert "missing" in host.sh(STATUS)
        assert host.run("systemctl", "reload", "netcont@web").returncode == 0
        assert "web: side a, up" in host.sh(STATUS)
        # Whoever stops the unit does not stop the traffic.
        assert host.run("systemctl", "stop", "netcont@web").returncode == 0
        assert "web: side a, up" in host.sh(STATUS)
        assert "web: down" in host.sh(f"{NETCONT} down web")


def test_guests_that_were_switched_are_switched_after_a_reboot(tmp_path: Path) -> None:
    lan = 'link = "br0"\nprefix = "10.{}.0.0/24"\n[{}'
    text = TUNNEL.replace("[side.b", lan.format(1, "side.b")).replace(
        "[tunnel", lan.format(2, "tunnel")
    )
    FILE.write_text(text + GUEST)
    units = {UNIT: (SAMPLES / "systemd/system" / UNIT).read_text()}
    for number, wanted in enumerate([(), ("netcont@web.service",), ("netcont@web.service",)]):
        directory = tmp_path / str(number)
        directory.mkdir()
        # Another namespace each time, as after a reboot.
        with bench() as place:
            place.own.write_sysctl("net.ipv4.ip_forward", "1")
            place.own.write_sysctl("net.ipv4.conf.all.rp_filter", "0")
            with systemd_host(place.own, directory, units, wanted) as host:
                running(host)
                if number == 0:
                    assert "guests switched" in host.sh(f"{UP} --switch")
                else:
                    host.wait("systemctl show -p SubState netcont@web", "SubState=exited")
                assert "web: side a, up, guests switched" in host.sh(STATUS)
                assert "dev nc-tun proto 77" in host.sh("ip route show 10.1.0.10")
                if number == 2:
                    assert "web: down" in host.sh(f"{NETCONT} down web")


def test_an_agent_outlives_the_service_that_started_it_and_nothing_is_left_of_it(
    place: Bench, tmp_path: Path
) -> None:
    key, patient = FILE.with_name("guest.key"), tmp_path / "patient.py"
    key.touch(mode=0o600)
    key.write_text("6b" * 16)
    FILE.write_text(AGENT)
    patient.write_text(PATIENT)
    NETCONT.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} {patient} "$@"\n')
    place.own.route.addr("add", index=place.own.index("br0"), address="10.1.0.1", prefixlen=24)
    place.own.write_sysctl("net.ipv4.ip_forward", "1")
    place.own.write_sysctl("net.ipv4.conf.all.rp_filter", "0")
    with systemd_host(place.own, tmp_path, {"session.service": SESSION}) as host:
        running(host)
        units, processes = "systemctl list-units --all --no-legend --plain", "ps -eo args"
        before = (dump(place.own), host.sh(f"{units} '*.scope'"))
        said = host.run("systemctl", "start", "session")
        assert said.returncode == 0, host.sh("systemctl status session") + said.stderr
        host.wait("systemctl show -p ActiveState,SubState session", "SubState=dead")
        assert "sleep 99999" not in host.sh(processes)
        (agent,) = [line for line in host.sh(processes).splitlines() if "agent home" in line]
        assert "home agent: nobody is away" in host.sh(STATUS)
        (scope,) = [line.split()[0] for line in host.sh(f"{units} 'run-*.scope'").splitlines()]
        group = host.sh(f"systemctl show -P ControlGroup {scope}").strip()
        pid = host.sh(f"cat /sys/fs/cgroup{group}/cgroup.procs").strip()
        assert host.sh(f"ps -o args= {pid}").strip() == agent
        assert "web: down" in host.sh(f"{NETCONT} down web")
        host.wait(f"{units} 'run-*.scope' | wc -l", "0")
        assert "agent home" not in host.sh(processes)
        assert (dump(place.own), host.sh(f"{units} '*.scope'")) == before
        assert "web" not in host.sh("find /run/netcont /var/lib/netcont -name 'web*'")
