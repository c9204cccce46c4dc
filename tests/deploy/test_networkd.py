"""A real systemd-networkd on the gateway: what it takes away, and that the drop-ins keep it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from netcont.deploy.managers import SAMPLES

from .bench import AT_B, Gateway, environment, gateway, needs_root
from .files import ANYCAST

NETWORKD = Path("/lib/systemd/systemd-networkd")
ROOT = Path(__file__).parents[2]

pytestmark = [
    needs_root,
    pytest.mark.skipif(not NETWORKD.exists(), reason="systemd-networkd is not installed"),
]

LOOK = """
ip rule | grep "proto 77" || :
ip route show table all proto 77
ip -br -4 addr show dev nc-stretch
"""

# As at boot: every link is udev's already. What is mounted goes with the shell.
SCRIPT = """
mount --make-rprivate /
mount -t tmpfs run /run
mount -t tmpfs etc /etc/systemd
mount -t sysfs sysfs /sys
mkdir -p /run/udev/data /run/systemd/netif/links /run/systemd/netif/leases /run/systemd/netif/lldp
chown -R systemd-network:systemd-network /run/systemd/netif
for each in /sys/class/net/*/ifindex; do echo I:1 > /run/udev/data/n$(cat $each); done
mkdir /etc/systemd/network
cat > /etc/systemd/network/10.network <<END
[Match]
Name=$1
[Network]
LinkLocalAddressing=no
END
test -z "$2" || cp -r "$2"/. /etc/systemd
"$0" &
networkd=$!
for each in /sys/class/net/*/ifindex; do
    until grep -qsE '^ADMIN_STATE=(configured|unmanaged)' /run/systemd/netif/links/$(cat $each)
    do kill -0 $networkd; sleep 0.05; done
done
"$3" -m netcont status --no-probe || echo "exit code $?"
kill $networkd
wait $networkd || :
"""


@dataclass(frozen=True)
class Managed:
    """status: what netcont said while networkd ran; before, after: rules, routes, addresses."""

    status: str
    before: str
    after: str


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Gateway]:
    with gateway(tmp_path / "state") as one:
        one.sh(AT_B)
        yield one


def managed(host: Gateway, tmp_path: Path, names: str, samples: Path | None) -> Managed:
    """What becomes of a deployment once networkd has begun to manage the links of these names."""
    file = tmp_path / "web.toml"
    file.write_text(ANYCAST)
    ended = host.cli("up", str(file), "--side", "b", "--switch")
    assert ended.status == 0, ended.said
    before = host.sh(LOOK)
    done = subprocess.run(
        [
            *("nsenter", f"--net=/proc/{host.pid}/ns/net", "unshare", "--mount", "timeout", "60"),
            *("sh", "-ec", SCRIPT, str(NETWORKD), names, str(samples or ""), sys.executable),
        ],
        env={**environment(), "PYTHONPATH": str(ROOT), "NETCONT_STATE_DIR": str(host.state)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return Managed(done.stdout + done.stderr, before, host.sh(LOOK))


@pytest.mark.parametrize("names", ["lan0", "lan0 nc-*"])
def test_with_the_drop_ins_nothing_is_taken_away(host: Gateway, tmp_path: Path, names: str) -> None:
    found = managed(host, tmp_path, names, SAMPLES / "systemd")
    assert found.after == found.before
    assert "up, guests switched" in found.status and "exit code" not in found.status
    assert "systemd-networkd runs here" not in found.status


def test_without_them_rules_and_routes_go_and_status_says_what_keeps_them(
    host: Gateway, tmp_path: Path
) -> None:
    found = managed(host, tmp_path, "lan0", None)
    assert "from 10.1.0.10 lookup" in found.before and "from 10.1.0.10 lookup" not in found.after
    assert "missing  ip rule add" in found.status and "exit code 1" in found.status
    assert "ManageForeignRoutingPolicyRules=no" in found.status


def test_without_them_a_file_that_matches_all_links_takes_addresses_too(
    host: Gateway, tmp_path: Path
) -> None:
    found = managed(host, tmp_path, "lan0 nc-*", None)
    assert "10.255.0.2/30" in found.before and "10.255.0.2/30" not in found.after
    assert "configures nc-stretch, nc-vx100 as /etc/systemd/network/10.network says" in found.status
    assert "Unmanaged=yes" in found.status
    # What it has taken, the next `up` puts back.
    assert host.cli("up", str(tmp_path / "web.toml"), "--side", "b").status == 0
    assert host.sh(LOOK) == found.before
