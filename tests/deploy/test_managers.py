"""Network managers' settings: what spares netcont's links, and what does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from netcont.deploy import managers
from netcont.deploy.half import Half
from netcont.deploy.managers import SAMPLES, OwnLink, own_links, warnings
from netcont.model.deployment import SideName

from .files import SEGMENT, TUNNEL, deployment

TUN = OwnLink("nc-tun", "gre", "ip-tunnel")
NM, NETWORKD = "NetworkManager", "systemd-network"
NM_FILE = "NetworkManager/conf.d/netcont.conf"
NETWORKD_FILE = "systemd/networkd.conf.d/netcont.conf"
NETWORK_FILE = "systemd/network/00-netcont.network"
SPARED_NM = "[keyfile]\nunmanaged-devices=interface-name:nc-*\n"
SPARED_NETWORKD = "[Network]\nManageForeignRoutes=no\nManageForeignRoutingPolicyRules=false\n"


def tree(root: Path, *running: str, **files: str) -> Path:
    """A file system with processes in this network namespace. files: paths with __ for /."""
    _process(root, "self", "pytest", "net:[1]")
    for number, name in enumerate(running):
        _process(root, str(700 + number), name, "net:[1]")
    for path, text in files.items():
        write(root, path.replace("__", "/"), text)
    return root


def write(root: Path, path: str, text: str) -> None:
    at = root / path
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_text(text)


def _process(root: Path, pid: str, name: str, namespace: str) -> None:
    write(root, f"proc/{pid}/comm", f"{name}\n")
    (root / "proc" / pid / "ns").mkdir()
    (root / "proc" / pid / "ns/net").symlink_to(namespace)


def mended_by(root: Path, link: OwnLink = TUN) -> list[str]:
    """The files that are asked for."""
    return [each.file for each in warnings([link], root)]


def test_where_no_manager_runs_there_is_nothing_to_say(tmp_path: Path) -> None:
    assert mended_by(tree(tmp_path, "systemd", "sshd")) == []


def test_a_manager_in_another_network_namespace_is_none_of_ours(tmp_path: Path) -> None:
    root = tree(tmp_path)
    _process(root, "800", NM, "net:[2]")
    assert mended_by(root) == []


def test_a_manager_whose_namespace_may_not_be_known_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree(tmp_path, NM)
    readlink = Path.readlink

    def as_another_user(path: Path) -> Path:
        if "700" in path.parts:
            raise PermissionError
        return readlink(path)

    monkeypatch.setattr(Path, "readlink", as_another_user)
    assert mended_by(root) == [NM_FILE]


def test_a_manager_that_has_just_ended_does_not_count(tmp_path: Path) -> None:
    root = tree(tmp_path, NM)
    (root / "proc/700/ns/net").unlink()
    assert mended_by(root) == []


def test_each_manager_is_named_with_the_file_that_mends_it(tmp_path: Path) -> None:
    root = tree(tmp_path, NM, NETWORKD)
    assert mended_by(root) == [NM_FILE, NETWORKD_FILE]
    nm, networkd = warnings([TUN], root)
    assert "NetworkManager runs here, and may take over nc-tun" in nm.lines[0]
    assert f"/etc/{NM_FILE}" in nm.lines[0]
    assert "systemctl restart systemd-networkd" in networkd.lines[0]
    assert "    ManageForeignRoutingPolicyRules=no" in networkd.lines


def test_the_files_that_come_along_are_enough(tmp_path: Path) -> None:
    root = tree(tmp_path, NM, NETWORKD, etc__systemd__network__50_all="")
    write(root, "etc/systemd/network/50-all.network", "[Match]\nName=*\n[Network]\nDHCP=yes\n")
    assert mended_by(root) == [NM_FILE, NETWORKD_FILE, NETWORK_FILE]
    shutil.copytree(SAMPLES, root / "etc", dirs_exist_ok=True)
    assert mended_by(root) == []


def test_without_links_of_ours_nobody_is_warned(tmp_path: Path) -> None:
    assert warnings([], tree(tmp_path, NM, NETWORKD)) == ()


def test_links_are_known_by_the_kinds_that_managers_give_them() -> None:
    tunnel = own_links(Half(deployment(TUNNEL), SideName.A, "web").plan())
    assert tunnel == (TUN,)
    segment = own_links(Half(deployment(SEGMENT), SideName.B, "web").plan())
    assert {each.nm_type for each in segment} == {"vxlan", "bridge"}


# ---- NetworkManager


@pytest.mark.parametrize(
    ("specs", "spared"),
    [
        ("interface-name:nc-*", True),
        ("interface-name:~nc-*", True),
        ("interface-name:nc-tun", True),
        ("nc-tun", True),
        ("interface-name:=nc-tun", True),
        ("interface-name:=nc-*", False),
        ("nc-*", False),
        ("interface-name:eth*", False),
        ("interface-name:NC-*", False),
        ("interface-name:[n]c-tun", False),
        ("interface-name:eth0; interface-name:nc-*", True),
        ("interface-name:eth0,interface-name:nc-t??", True),
        ("type:ip-tunnel", True),
        ("type:ethernet", False),
        ("*", True),
        ("*,except:type:ethernet", True),
        ("*,except:interface-name:nc-*", False),
        ("interface-name:nc-*,except:type:ip-tunnel", False),
        ("except:interface-name:eth0", True),
        ("mac:00:22:68:1c:59:b1", False),
        ("", False),
    ],
)
def test_a_device_list_means_what_networkmanager_takes_it_for(
    tmp_path: Path, specs: str, spared: bool
) -> None:
    root = tree(tmp_path, NM)
    write(root, "etc/NetworkManager/NetworkManager.conf", f"[keyfile]\nunmanaged-devices={specs}\n")
    assert mended_by(root) == ([] if spared else [NM_FILE])


def test_a_later_file_overrides_an_earlier_one(tmp_path: Path) -> None:
    root = tree(tmp_path, NM)
    write(root, "usr/lib/NetworkManager/conf.d/10-vendor.conf", SPARED_NM)
    assert mended_by(root) == []
    write(root, "etc/NetworkManager/NetworkManager.conf", "[keyfile]\nunmanaged-devices=eth0\n")
    assert mended_by(root) == [NM_FILE]
    write(root, "etc/NetworkManager/conf.d/90.conf", SPARED_NM.replace("=", "+=", 1))
    assert mended_by(root) == []
    write(root, "etc/NetworkManager/conf.d/91.conf", SPARED_NM.replace("=", "-=", 1))
    assert mended_by(root) == [NM_FILE]


def test_a_file_hides_the_one_of_the_same_name_below_it(tmp_path: Path) -> None:
    root = tree(tmp_path, NM)
    write(root, "usr/lib/NetworkManager/conf.d/nc.conf", SPARED_NM)
    write(root, "run/NetworkManager/conf.d/nc.conf", "")
    assert mended_by(root) == [NM_FILE]


def test_comments_other_sections_and_other_endings_do_not_count(tmp_path: Path) -> None:
    root = tree(tmp_path, NM)
    write(root, "etc/NetworkManager/conf.d/a.conf", SPARED_NM.replace("unm", "#unm"))
    write(root, "etc/NetworkManager/conf.d/b.conf", SPARED_NM.replace("keyfile", "main"))
    write(root, "etc/NetworkManager/conf.d/c.conf~", SPARED_NM)
    assert mended_by(root) == [NM_FILE]


@pytest.mark.parametrize(
    ("text", "spared"),
    [
        ("[device-nc]\nmatch-device=interface-name:nc-*\nmanaged=0\n", True),
        ("[device]\nmanaged=false\n", True),
        ("[device]\nmanaged=0\n[device-nc]\nmatch-device=interface-name:nc-*\nmanaged=1", False),
        ("[device-nc]\nmatch-device=interface-name:nc-*\nstop-match=1\n[device]\nmanaged=0", False),
        ("[device-eth]\nmatch-device=interface-name:eth*\nmanaged=0\n", False),
        ("[device-nc]\nmatch-device=interface-name:nc-*\nwifi.backend=iwd\n", False),
    ],
)
def test_a_device_section_can_say_so_as_well(tmp_path: Path, text: str, spared: bool) -> None:
    root = tree(tmp_path, NM)
    write(root, "etc/NetworkManager/conf.d/a.conf", text)
    assert mended_by(root) == ([] if spared else [NM_FILE])


# ---- systemd-networkd


def test_both_routes_and_rules_must_be_kept(tmp_path: Path) -> None:
    root = tree(tmp_path, NETWORKD)
    write(root, "etc/systemd/networkd.conf", "[Network]\nManageForeignRoutes=no\n")
    assert mended_by(root) == [NETWORKD_FILE]
    write(root, "etc/systemd/networkd.conf", SPARED_NETWORKD)
    assert mended_by(root) == []


def test_of_the_main_files_the_first_counts_and_drop_ins_come_after_it(tmp_path: Path) -> None:
    root = tree(tmp_path, NETWORKD)
    write(root, "usr/lib/systemd/networkd.conf", SPARED_NETWORKD)
    assert mended_by(root) == []
    write(root, "etc/systemd/networkd.conf", "[Network]\n")
    assert mended_by(root) == [NETWORKD_FILE]
    write(root, "usr/lib/systemd/networkd.conf.d/20.conf", SPARED_NETWORKD)
    assert mended_by(root) == []
    # By name, wherever they are.
    write(root, "etc/systemd/networkd.conf.d/10.conf", SPARED_NETWORKD.replace("=no", "=yes"))
    assert mended_by(root) == []
    write(root, "run/systemd/networkd.conf.d/30.conf", "[Network]\nManageForeignRoutes=yes\n")
    assert mended_by(root) == [NETWORKD_FILE]
    (root / "etc/systemd/networkd.conf.d/30.conf").symlink_to("/dev/null")
    assert mended_by(root) == []


@pytest.mark.parametrize(
    ("match", "grabbed"),
    [
        ("Name=*", True),
        ("Name=eth* nc-*", True),
        ("Name=!eth*", True),
        ("Name=!nc-* eth*", False),
        ("Name=eth*", False),
        ("Kind=gre", True),
        ("Kind=vlan", False),
        ("Type=!loopback", True),
        ("Type=ether", False),
        ("Name=*\nMACAddress=02:00:00:00:00:01", False),
        ("Name=eth0\nName=", True),
        ("", True),
    ],
)
def test_a_network_file_takes_a_link_that_it_matches(
    tmp_path: Path, match: str, grabbed: bool
) -> None:
    root = tree(tmp_path, NETWORKD)
    write(root, "etc/systemd/networkd.conf", SPARED_NETWORKD)
    write(root, "usr/lib/systemd/network/50-x.network", f"[Match]\n{match}\n[Network]\nDHCP=yes\n")
    assert mended_by(root) == ([NETWORK_FILE] if grabbed else [])


def test_of_network_files_the_first_by_name_counts(tmp_path: Path) -> None:
    root = tree(tmp_path, NETWORKD)
    write(root, "etc/systemd/networkd.conf", SPARED_NETWORKD)
    write(root, "etc/systemd/network/50-all.network", "[Match]\nName=*\n[Network]\nDHCP=yes\n")
    unmanaged = "[Match]\nName=nc-*\n[Link]\nUnmanaged=yes\n"
    write(root, "etc/systemd/network/60-nc.network", unmanaged)
    assert "/etc/systemd/network/50-all.network says" in warnings([TUN], root)[0].what
    write(root, "usr/lib/systemd/network/40-nc.network", unmanaged)
    assert mended_by(root) == []


# ---- what the commands say


def test_plan_and_status_print_the_drop_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from netcont.cli.main import main

    monkeypatch.setattr(managers, "ROOT", tree(tmp_path / "root", NM))
    write(tmp_path, "web.toml", TUNNEL)
    main(["plan", str(tmp_path / "web.toml"), "--side", "a", "--state-dir", str(tmp_path)])
    said = capsys.readouterr().err
    assert "warning: NetworkManager runs here, and may take over nc-tun" in said
    assert "    unmanaged-devices+=interface-name:nc-*" in said
    main(["status", "--state-dir", str(tmp_path)])
    assert "warning" not in capsys.readouterr().err
