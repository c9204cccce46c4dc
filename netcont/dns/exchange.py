"""One question and its answer: over UDP, over TCP if that was truncated, signed where asked for.

A signed request believes no answer that is not signed (RFC 8945 §5.4): such an answer is passed
over until the time is up, for anybody can send one, and only then it is the error.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.tsig

from netcont.dns.refusal import refusal
from netcont.dns.server import Server
from netcont.errors import DnsError
from netcont.model.plan import TsigKey

_LARGEST_UDP_BYTES = 1232
"""No fragments anywhere: what the DNS flag day of 2020 agreed on."""

_AGAIN = frozenset({"TIMEOUT", "UNREACHABLE"})
_NO_ROUTE = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
"""What a host without IPv6, or without IPv4, is told."""
_PEER_ERRORS: dict[type[dns.tsig.PeerError], str] = {
    dns.tsig.PeerBadKey: "BADKEY",
    dns.tsig.PeerBadSignature: "BADSIG",
    dns.tsig.PeerBadTime: "BADTIME",
    dns.tsig.PeerBadTruncation: "BADTRUNC",
}


@dataclass(frozen=True)
class Patience:
    """How long to wait: answer_s for one answer, tries times; agreement_s for all servers to
    agree, asked every poll_s."""

    answer_s: float = 2.0
    tries: int = 3
    agreement_s: float = 60.0
    poll_s: float = 0.5


@dataclass(frozen=True)
class Caller:
    """Who asks: with which key, how patiently, and by which clock (seconds since 1970)."""

    key: TsigKey | None = None
    patience: Patience = Patience()
    now: Callable[[], float] = time.time

    def ask(
        self, make: Callable[[], dns.message.Message], server: Server, what: str
    ) -> dns.message.Message:
        """The answer to the message that make gives, whatever its rcode; signed if there is a key.

        Asks again after silence, and once after BADTIME, for the clock may just have been set.
        what: what is tried, for messages. Raises DnsError.
        """
        silences, skewed = 0, False
        while True:
            ends_s = time.monotonic() + self.patience.answer_s
            try:
                return _exchange(make(), server, self, ends_s, what)
            except DnsError as error:
                if error.code in _AGAIN and silences + 1 < self.patience.tries:
                    silences += 1
                    # A server that is just being started again refuses at once.
                    time.sleep(max(0.0, ends_s - time.monotonic()))
                elif error.code == "BADTIME" and not skewed:
                    skewed = True
                else:
                    raise


def _exchange(
    message: dns.message.Message, server: Server, caller: Caller, ends_s: float, what: str
) -> dns.message.Message:
    wire = _signed(message, caller)
    answer = None
    try:
        if len(wire) <= _LARGEST_UDP_BYTES:
            answer = _over_udp(wire, message, server, ends_s, what)
        if answer is None or answer.flags & dns.flags.TC:
            return _over_tcp(wire, message, server, caller.patience.answer_s, what)
    except TimeoutError as error:
        raise refusal("TIMEOUT", str(server), what) from error
    except OSError as error:
        code = "NOROUTE" if error.errno in _NO_ROUTE else "UNREACHABLE"
        detail = error.strerror or str(error)
        raise refusal(code, str(server), what, detail=detail) from error
    return answer


def _signed(message: dns.message.Message, caller: Caller) -> bytes:
    """The message in wire format, signed with the caller's key at the caller's time."""
    wire = message.to_wire()
    if caller.key is None:
        return wire
    name = dns.name.from_text(caller.key.name)
    algorithm = _algorithm(caller.key.algorithm)
    key = dns.tsig.Key(name, caller.key.secret, algorithm)
    message.use_tsig(key)
    assert message.tsig is not None
    record, _ = dns.tsig.sign(  # type: ignore[no-untyped-call]
        wire, key, message.tsig[0], int(caller.now()), b""
    )
    message.tsig.clear()  # type: ignore[no-untyped-call]
    message.tsig.add(record)
    message.want_tsig_sign = False  # it is done, and not by this process's own clock
    return message.to_wire()


def _algorithm(name: str) -> dns.name.Name:
    return dns.tsig.HMAC_MD5 if name == "hmac-md5" else dns.name.from_text(name)


def _over_udp(
    wire: bytes, message: dns.message.Message, server: Server, ends_s: float, what: str
) -> dns.message.Message:
    """The first answer to be believed; else the reason why the last one was not."""
    doubt: DnsError | None = None
    with socket.socket(_family(server), socket.SOCK_DGRAM) as outlet:
        outlet.connect((server.address, server.port))
        outlet.send(wire)
        while (left_s := ends_s - time.monotonic()) > 0:
            outlet.settimeout(left_s)
            try:
                heard = outlet.recv(65535)
            except TimeoutError:
                break
            try:
                answer = _believed(heard, message, server, what)
            except DnsError as error:
                doubt = error
                continue
            if answer is not None:
                return answer
    raise doubt or refusal("TIMEOUT", str(server), what)


def _over_tcp(
    wire: bytes, message: dns.message.Message, server: Server, limit_s: float, what: str
) -> dns.message.Message:
    ends_s = time.monotonic() + limit_s
    with socket.create_connection((server.address, server.port), timeout=limit_s) as stream:
        stream.sendall(len(wire).to_bytes(2, "big") + wire)
        length = int.from_bytes(_read(stream, 2, ends_s), "big")
        heard = _read(stream, length, ends_s)
    answer = _believed(heard, message, server, what)
    if answer is None or answer.flags & dns.flags.TC:
        raise refusal("FORMERR", str(server), what, detail="its answer makes no sense")
    return answer


def _read(stream: socket.socket, size: int, ends_s: float) -> bytes:
    data = b""
    while len(data) < size:
        stream.settimeout(max(0.001, ends_s - time.monotonic()))
        piece = stream.recv(size - len(data))
        if not piece:
            raise ConnectionResetError("it closed the connection")
        data += piece
    return data


def _family(server: Server) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in server.address else socket.AF_INET


def _believed(
    heard: bytes, message: dns.message.Message, server: Server, what: str
) -> dns.message.Message | None:
    """The answer in what was heard; None if it is not one to this message.

    Raises DnsError if it is one, but says of our signature that it is bad, or is itself unsigned
    or signed wrongly though the message was signed.
    """
    try:
        loose = dns.message.from_wire(heard, keyring=False, ignore_trailing=True)
    except dns.exception.DNSException:
        return None
    if not message.is_response(loose):
        return None
    if not message.had_tsig or loose.flags & dns.flags.TC:
        return loose  # what is truncated is asked for again, over TCP, and believed only then
    try:
        checked = dns.message.from_wire(
            heard, keyring=message.keyring, request_mac=message.mac, ignore_trailing=True
        )
    except dns.tsig.PeerError as error:
        code = _PEER_ERRORS.get(type(error), "NOTAUTH")
        raise refusal(code, str(server), what, detail=_clocks(loose, message)) from error
    except dns.exception.DNSException as error:
        if not loose.had_tsig:
            code = dns.rcode.to_text(loose.rcode())
            raise refusal("UNSIGNED" if code == "NOERROR" else code, str(server), what) from error
        raise refusal("FORGED", str(server), what, detail=str(error)) from error
    return checked


def _clocks(answer: dns.message.Message, message: dns.message.Message) -> str:
    """How far apart the clocks are: a BADTIME answer carries the server's (RFC 8945 §5.2.3)."""
    if answer.tsig is None or message.tsig is None or len(answer.tsig[0].other) != 6:
        return ""
    skew_s = int.from_bytes(answer.tsig[0].other, "big") - message.tsig[0].time_signed
    return f"the server's is {abs(skew_s)} s {'ahead of' if skew_s > 0 else 'behind'} this host's"
