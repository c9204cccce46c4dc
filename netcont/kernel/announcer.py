"""Gratuitous ARP (RFC 5227 §3, RFC 826) and RARP (RFC 903), in QEMU's rhythm."""

from __future__ import annotations

import socket
import struct
import threading
import time

from netcont.errors import KernelError
from netcont.kernel.namespace import Namespace
from netcont.model.plan import Announce

_BROADCAST = b"\xff" * 6
_ETHERTYPE_ARP = 0x0806
_ETHERTYPE_RARP = 0x8035
_ARP_REQUEST = 1
_RARP_REQUEST = 3
_FIRST_REPEAT_S = 0.05
_STEP_S = 0.1


def gratuitous_arp(address: str, mac: str) -> bytes:
    """An Ethernet frame that asks who has address, from address: it refreshes ARP caches."""
    return _frame(_ETHERTYPE_ARP, _ARP_REQUEST, mac, address, b"\0" * 6, address)


def rarp(mac: str) -> bytes:
    """An Ethernet frame that teaches switches where mac is, as QEMU sends it for a guest."""
    return _frame(_ETHERTYPE_RARP, _RARP_REQUEST, mac, "0.0.0.0", _mac(mac), "0.0.0.0")


def announce(node: Namespace, change: Announce) -> None:
    """Sends the first announcement now and the others from a thread, on the node's link.

    Raises KernelError if the first cannot be sent.
    """
    frames = [gratuitous_arp(change.address, change.mac)]
    if change.rarp:
        frames.append(rarp(change.mac))
    try:
        with node.entered():
            outlet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        try:
            outlet.bind((change.link, 0))
            for frame in frames:
                outlet.send(frame)
        except OSError:
            outlet.close()
            raise
    except OSError as error:
        raise KernelError(
            f"{node.name}: announce {change.address} on {change.link}: {error.strerror}",
            errno=error.errno,
        ) from error
    threading.Thread(target=_repeat, args=(outlet, frames, change.rounds), daemon=True).start()


def _repeat(outlet: socket.socket, frames: list[bytes], rounds: int) -> None:
    with outlet:
        for number in range(rounds):
            time.sleep(_FIRST_REPEAT_S + _STEP_S * number)
            for frame in frames:
                try:
                    outlet.send(frame)
                except OSError:
                    return  # the link went away: the guest moved on, and nobody is misled


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
