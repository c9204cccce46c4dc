"""Gratuitous ARP (RFC 5227 §3, RFC 826), RARP (RFC 903) and unsolicited Neighbour Advertisements
(RFC 4861 §7.2.6), in QEMU's rhythm."""

from __future__ import annotations

import socket
import struct
import threading
import time

from netcont.errors import KernelError
from netcont.kernel.namespace import Namespace
from netcont.model.plan import Announce, is_ipv6

_BROADCAST = b"\xff" * 6
_ETHERTYPE_ARP = 0x0806
_ETHERTYPE_RARP = 0x8035
_ETHERTYPE_IPV6 = 0x86DD
_ARP_REQUEST = 1
_RARP_REQUEST = 3
_FIRST_REPEAT_S = 0.05
_STEP_S = 0.1
_LONGEST_S = 0.55

_ALL_NODES = "ff02::1"  # RFC 4291 §2.7.1
_ALL_NODES_MAC = bytes.fromhex("333300000001")  # RFC 2464 §7
_ICMPV6 = 58
_NEIGHBOUR_ADVERTISEMENT = 136  # RFC 4861 §4.4
_ROUTER, _OVERRIDE = 0x80000000, 0x20000000  # the R and the O flag; not S (nobody asked)
_TARGET_LINK_LAYER_ADDRESS = 2  # RFC 4861 §4.6.1
_NEVER_FORWARDED = 255  # RFC 4861 §7.1.2: another hop limit is not believed


def gratuitous_arp(address: str, mac: str) -> bytes:
    """An Ethernet frame that asks who has address, from address: it refreshes ARP caches."""
    return _frame(_ETHERTYPE_ARP, _ARP_REQUEST, mac, address, b"\0" * 6, address)


def rarp(mac: str) -> bytes:
    """An Ethernet frame that teaches switches where mac is, as QEMU sends it for a guest."""
    return _frame(_ETHERTYPE_RARP, _RARP_REQUEST, mac, "0.0.0.0", _mac(mac), "0.0.0.0")


def neighbour_advertisement(address: str, mac: str, *, router: bool = False) -> bytes:
    """An Ethernet frame that tells all nodes that address, a router's or not, is at mac, whatever
    they knew before."""
    source, target = _mac(mac), socket.inet_pton(socket.AF_INET6, address)
    option = struct.pack("!BB", _TARGET_LINK_LAYER_ADDRESS, 1) + source
    flags = _OVERRIDE | (_ROUTER if router else 0)
    body = struct.pack("!I", flags) + target + option
    everybody = socket.inet_pton(socket.AF_INET6, _ALL_NODES)
    length = 4 + len(body)
    pseudo = target + everybody + struct.pack("!II", length, _ICMPV6)  # RFC 8200 §8.1
    head = struct.pack("!BB", _NEIGHBOUR_ADVERTISEMENT, 0)
    message = head + struct.pack("!H", _checksum(pseudo + head + b"\0\0" + body)) + body
    packet = struct.pack("!IHBB", 6 << 28, length, _ICMPV6, _NEVER_FORWARDED)
    ethernet = _ALL_NODES_MAC + source + struct.pack("!H", _ETHERTYPE_IPV6)
    return ethernet + packet + target + everybody + message


def announce(node: Namespace, change: Announce) -> None:
    """Sends the first announcement now and the others from a thread, on the node's link.

    Raises KernelError if the first cannot be sent.
    """
    try:
        with node.entered():
            outlet = _open(change)
    except OSError as error:
        raise _failed(node.name, change, error) from error
    frames = _frames(change)
    threading.Thread(target=_repeat, args=(outlet, frames, change.rounds), daemon=True).start()


def announce_here(change: Announce) -> int:
    """Sends all announcements in the namespace of this process, and ends after the last.

    Returns how many times the address was announced: rounds + 1, or fewer if the link goes away
    meanwhile. Raises KernelError if the first cannot be sent.
    """
    try:
        outlet = _open(change)
    except OSError as error:
        raise _failed(change.node, change, error) from error
    return 1 + _repeat(outlet, _frames(change), change.rounds)


def delays_s(rounds: int) -> list[float]:
    """How long to wait before each repeat, in seconds (QEMU's announce parameters)."""
    return [min(_FIRST_REPEAT_S + _STEP_S * number, _LONGEST_S) for number in range(rounds)]


def _frames(change: Announce) -> list[bytes]:
    if is_ipv6(change.address):
        frames = [neighbour_advertisement(change.address, change.mac, router=change.router)]
    else:
        frames = [gratuitous_arp(change.address, change.mac)]
    return [*frames, rarp(change.mac)] if change.rarp else frames


def _open(change: Announce) -> socket.socket:
    """A socket on the link, through which the first announcement went. Raises OSError."""
    outlet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    try:
        outlet.bind((change.link, 0))
        for frame in _frames(change):
            outlet.send(frame)
    except OSError:
        outlet.close()
        raise
    return outlet


def _failed(node: str, change: Announce, error: OSError) -> KernelError:
    return KernelError(
        f"{node}: announce {change.address} on {change.link}: {error.strerror}",
        errno=error.errno,
        remedy="run as root, or with CAP_NET_RAW" if isinstance(error, PermissionError) else "",
    )


def _repeat(outlet: socket.socket, frames: list[bytes], rounds: int) -> int:
    """Sends all frames again, rounds times at most; returns how many times it did."""
    with outlet:
        for number, delay_s in enumerate(delays_s(rounds)):
            time.sleep(delay_s)
            for frame in frames:
                try:
                    outlet.send(frame)
                except OSError:
                    return number  # the link went away: the guest moved on, nobody is misled
    return rounds


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _frame(
    ethertype: int, operation: int, mac: str, sender: str, target_mac: bytes, target: str
) -> bytes:
    source = _mac(mac)
    return (
        _BROADCAST
        + source
        + struct.pack("!HHHBBH", ethertype, 1, 0x0800, 6, 4, operation)
        + source
        + socket.inet_aton(sender)
        + target_mac
        + socket.inet_aton(target)
    )


def _mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))
