"""What goes wrong between a move and its name server, and what is left in the zone then.

The server is a real named; a go-between loses and alters messages. Zone transfers are the judge.
"""

from __future__ import annotations

import socket
import threading
import time
from dataclasses import replace
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rcode
import pytest
from dns_go_between import Forward, Treatment, relay
from dns_servers import (
    BETWEEN,
    KEY,
    LOOPBACK,
    NAME,
    NEW_4,
    OLD_4,
    OLD_6,
    QUICK,
    ZONE,
    Site,
    access,
    run,
)

from netcont.dns.access import Access
from netcont.dns.exchange import Patience
from netcont.dns.move import MovePlan, Wish, carry_out, plan_move
from netcont.dns.refusal import refusal
from netcont.dns.server import Server
from netcont.dns.zone_update import perform
from netcont.errors import DnsError
from netcont.model.plan import TsigKey

OLD = [("300", "A", OLD_4), ("300", "AAAA", OLD_6)]
NEW = [("300", "A", NEW_4), ("300", "AAAA", OLD_6)]
WISH = Wish(NAME, (NEW_4,), ptr=False)


def move(access: Access) -> MovePlan:
    plan = plan_move(WISH, access)
    carry_out(plan, access)
    return plan


def moved_through(site: Site, treat: Treatment, **options: object) -> DnsError | None:
    """The move with a treatment of its updates: the error it ended in, or None."""
    with relay((BETWEEN, site.port), (LOOPBACK, site.primary.port), treat) as server:
        try:
            move(access(site.port, server=server, **options))  # type: ignore[arg-type]
        except DnsError as error:
            return error
    return None


@pytest.mark.parametrize(
    ("key", "code", "said"),
    [
        pytest.param(None, "REFUSED", "without --key most servers refuse", id="no key"),
        pytest.param(
            TsigKey("stranger", KEY.algorithm, KEY.secret),
            "BADKEY",
            "no key of this name",
            id="a key that the server has not",
        ),
        pytest.param(
            TsigKey(KEY.name, KEY.algorithm, "d3Jvbmcgc2VjcmV0"),
            "BADSIG",
            "another secret",
            id="a wrong secret",
        ),
        pytest.param(
            TsigKey(KEY.name, "hmac-sha512", KEY.secret),
            "BADKEY",
            "name and algorithm",
            id="a wrong algorithm",
        ),
    ],
)
def test_a_server_that_does_not_accept_the_key_says_so_and_changes_nothing(
    site: Site, key: TsigKey | None, code: str, said: str
) -> None:
    with pytest.raises(DnsError) as caught:
        move(access(site.port, key=key))
    assert caught.value.code == code
    assert said in str(caught.value)
    assert KEY.secret not in str(caught.value)
    assert site.primary.transferred(ZONE, NAME) == OLD


class Clock:
    """A clock that is wrong for the first so many times that it is looked at."""

    def __init__(self, skew_s: float, wrong: int) -> None:
        self.skew_s, self.wrong, self.looked = skew_s, wrong, 0

    def __call__(self) -> float:
        self.looked += 1
        return time.time() + (self.skew_s if self.looked <= self.wrong else 0.0)


@pytest.mark.parametrize(("skew_s", "said"), [(-1000.0, "ahead of"), (1000.0, "behind")])
def test_a_skewed_clock_is_tried_twice_and_then_explained(
    site: Site, skew_s: float, said: str
) -> None:
    clock = Clock(skew_s, wrong=1000)
    with pytest.raises(DnsError) as caught:
        move(access(site.port, now=clock))
    assert caught.value.code == "BADTIME"
    assert f"s {said} this host's" in caught.value.message
    assert "netcont touches no clock" in caught.value.remedy
    assert clock.looked == 2
    assert site.primary.transferred(ZONE, NAME) == OLD


def test_a_clock_that_was_just_set_right_is_believed_at_the_second_try(site: Site) -> None:
    move(access(site.port, now=Clock(1000.0, wrong=1)))
    assert site.primary.transferred(ZONE, NAME) == NEW


def test_a_clock_within_the_fudge_is_no_problem(site: Site) -> None:
    move(access(site.port, now=Clock(-250.0, wrong=1000)))
    assert site.primary.transferred(ZONE, NAME) == NEW


def test_a_server_that_cannot_write_its_journal_fails_and_changes_nothing(site: Site) -> None:
    (site.primary.log.parent / f"{ZONE}.jnl").mkdir()
    with pytest.raises(DnsError) as caught:
        move(access(site.port))
    assert caught.value.code == "SERVFAIL"
    assert "its log says which" in caught.value.remedy
    (site.primary.log.parent / f"{ZONE}.jnl").rmdir()
    assert site.primary.transferred(ZONE, NAME) == OLD


def test_a_server_that_is_silent_is_asked_three_times_and_then_given_up(site: Site) -> None:
    heard = []

    def silent(wire: bytes, forward: Forward) -> None:
        heard.append(wire)

    error = moved_through(site, silent)
    assert error is not None
    assert error.code == "TIMEOUT"
    assert "whether the update was made is not known" in error.message
    assert "to repeat the command does no harm" in error.remedy
    assert len(heard) == 3
    assert site.primary.transferred(ZONE, NAME) == OLD


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_answers_that_get_lost_leave_exactly_one_right_record_set(site: Site, lost: int) -> None:
    heard = []

    def losing(wire: bytes, forward: Forward) -> bytes | None:
        heard.append(wire)
        answer = forward(wire)
        return None if len(heard) <= lost else answer

    assert moved_through(site, losing) is None
    assert site.primary.transferred(ZONE, NAME) == NEW


def test_a_lost_request_is_sent_again(site: Site) -> None:
    heard = []

    def losing(wire: bytes, forward: Forward) -> bytes | None:
        heard.append(wire)
        return None if len(heard) == 1 else forward(wire)

    assert moved_through(site, losing) is None
    assert site.primary.transferred(ZONE, NAME) == NEW


def test_a_server_killed_between_update_and_reply_has_one_right_record_set(site: Site) -> None:
    killed = []

    def killing(wire: bytes, forward: Forward) -> bytes | None:
        answer = forward(wire)
        if not killed:
            killed.append(wire)
            site.primary.kill()
            site.primary.start()
            return None
        return answer

    patient = Patience(answer_s=3.0, tries=5, agreement_s=20.0, poll_s=0.1)
    assert moved_through(site, killing, patience=patient) is None
    assert killed
    assert site.primary.transferred(ZONE, NAME) == NEW


def test_a_server_killed_before_the_update_gets_it_when_it_is_back(site: Site) -> None:
    killed = []

    def killing(wire: bytes, forward: Forward) -> bytes | None:
        if not killed:
            killed.append(wire)
            site.primary.kill()
            site.primary.start()
            return None
        return forward(wire)

    patient = Patience(answer_s=3.0, tries=5, agreement_s=20.0, poll_s=0.1)
    assert moved_through(site, killing, patience=patient) is None
    assert site.primary.transferred(ZONE, NAME) == NEW


def rival(site: Site, *lines: str) -> None:
    """Somebody else's nsupdate."""
    text = [f"server {LOOPBACK} {site.primary.port}", f"zone {ZONE}", *lines, "send"]
    run("nsupdate", "-k", str(site.key_file), stdin="\n".join(text) + "\n")


def test_a_race_that_is_lost_is_told_and_the_winner_stays(site: Site) -> None:
    own = access(site.port)
    plan = plan_move(WISH, own)
    rival(site, f"update delete {NAME} A", f"update add {NAME} 300 A 203.0.113.7")
    with pytest.raises(DnsError) as caught:
        carry_out(plan, own)
    assert caught.value.code == "NXRRSET"
    assert "now: www.example.org. 300 A 203.0.113.7" in caught.value.message
    assert ("300", "A", "203.0.113.7") in site.primary.transferred(ZONE, NAME)


def test_a_family_that_somebody_else_added_meanwhile_is_a_race_too(site: Site) -> None:
    rival(site, f"update delete {NAME} AAAA")
    own = access(site.port)
    plan = plan_move(Wish(NAME, (NEW_4, "2001:db8:b::10"), ptr=False), own)
    rival(site, f"update add {NAME} 300 AAAA 2001:db8:c::10")
    with pytest.raises(DnsError) as caught:
        carry_out(plan, own)
    assert caught.value.code == "YXRRSET"
    assert site.primary.values(NAME, "A") == [OLD_4]
    assert site.primary.values(NAME, "AAAA") == ["2001:db8:c::10"]


def test_an_update_that_arrives_late_does_not_undo_a_newer_move(site: Site) -> None:
    late = []

    def delaying(wire: bytes, forward: Forward) -> bytes | None:
        late.append(wire)
        return None if len(late) == 1 else forward(wire)

    assert moved_through(site, delaying) is None
    newer = access(site.port)
    carry_out(plan_move(Wish(NAME, ("203.0.113.8",), ptr=False), newer), newer)

    def replaying(wire: bytes, forward: Forward) -> bytes | None:
        answer = dns.message.from_wire(forward(late[0]), keyring=False)
        assert answer.rcode() == dns.rcode.NXRRSET
        return None

    moved_through(site, replaying)
    assert ("300", "A", "203.0.113.8") in site.primary.transferred(ZONE, NAME)


def unsigned_answer(wire: bytes, code: dns.rcode.Rcode) -> bytes:
    request = dns.message.from_wire(wire, keyring=False)
    answer = dns.message.Message(id=request.id)
    answer.flags = dns.flags.QR | (request.flags & 0x7800)
    answer.question = request.question
    answer.set_rcode(code)
    return answer.to_wire()


def test_an_unsigned_success_is_a_failure(site: Site) -> None:
    def lying(wire: bytes, forward: Forward) -> bytes:
        return unsigned_answer(wire, dns.rcode.NOERROR)

    error = moved_through(site, lying)
    assert error is not None
    assert error.code == "UNSIGNED"
    assert "proves nothing" in error.message
    assert site.primary.transferred(ZONE, NAME) == OLD


def test_an_answer_with_a_wrong_mac_is_not_believed_but_the_records_are_read(site: Site) -> None:
    def tampering(wire: bytes, forward: Forward) -> bytes:
        return flip(forward(wire))

    assert moved_through(site, tampering) is None
    assert site.primary.transferred(ZONE, NAME) == NEW


def test_a_wrong_mac_upon_an_update_that_never_arrived_is_a_failure(site: Site) -> None:
    def tampering(wire: bytes, forward: Forward) -> bytes:
        return signed_by_a_stranger(wire)

    error = moved_through(site, tampering)
    assert error is not None
    assert error.code == "FORGED"
    assert site.primary.transferred(ZONE, NAME) == OLD


def flip(wire: bytes) -> bytes:
    """The message with one bit of its MAC changed: the MAC ends six bytes before the message."""
    at = len(wire) - 7
    return wire[:at] + bytes([wire[at] ^ 1]) + wire[at + 1 :]


def signed_by_a_stranger(wire: bytes) -> bytes:
    answer = dns.message.from_wire(unsigned_answer(wire, dns.rcode.NOERROR))
    answer.use_tsig({dns.name.from_text(KEY.name): b"guessed"}, dns.name.from_text(KEY.name))
    return answer.to_wire()


@pytest.mark.parametrize("arrives", [True, False])
def test_a_truncated_answer_to_an_update_is_fetched_over_tcp(site: Site, arrives: bool) -> None:
    def truncating(wire: bytes, forward: Forward) -> bytes:
        if arrives:
            forward(wire)
        answer = unsigned_answer(wire, dns.rcode.NOERROR)
        return answer[:2] + bytes([answer[2] | 0x02]) + answer[3:]

    assert moved_through(site, truncating) is None
    assert site.primary.transferred(ZONE, NAME) == NEW


def test_a_forged_answer_that_comes_first_does_not_hide_the_right_one(site: Site) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((BETWEEN, site.port))
        forged, right = threading.Event(), threading.Event()

        def answer() -> None:
            wire, client = server.recvfrom(65535)
            server.sendto(b"\0" * 40, client)
            server.sendto(unsigned_answer(wire, dns.rcode.REFUSED), client)
            forged.set()
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outlet:
                outlet.sendto(wire, (LOOPBACK, site.primary.port))
                server.sendto(outlet.recv(65535), client)
            right.set()

        thread = threading.Thread(target=answer)
        thread.start()
        plan = plan_move(WISH, access(site.port))
        there = replace(plan.forward, primary=Server(BETWEEN, site.port))
        perform(there, access(site.port).forward)
        thread.join()
    assert forged.is_set()
    assert right.is_set()
    assert site.primary.transferred(ZONE, NAME) == NEW


def test_a_server_that_is_not_authoritative_is_not_asked_to_change_anything(site: Site) -> None:
    with pytest.raises(DnsError) as caught:
        plan_move(Wish("www.example.net", (NEW_4,)), access(site.port))
    assert caught.value.code == "REFUSED"


def test_nobody_at_the_address_is_told_after_three_tries(tmp_path: Path) -> None:
    begun_s = time.monotonic()
    with pytest.raises(DnsError) as caught:
        plan_move(WISH, access(9))
    assert caught.value.code == "UNREACHABLE"
    assert "127.53.0.1#9" in caught.value.message
    assert time.monotonic() - begun_s < QUICK.answer_s * QUICK.tries + 2


@pytest.mark.parametrize(
    "code",
    [
        *("FORMERR", "SERVFAIL", "NOTIMP", "REFUSED", "NOTAUTH", "NOTZONE", "NXRRSET", "YXRRSET"),
        *("BADKEY", "BADSIG", "BADTIME", "BADTRUNC", "TIMEOUT", "UNREACHABLE", "UNSIGNED"),
        *("FORGED", "LAME", "NOROUTE"),
    ],
)
def test_every_code_is_explained_with_a_remedy(code: str) -> None:
    error = refusal(code, "192.0.2.53", "the update of www.example.org.")
    assert error.message.startswith(f"192.0.2.53: the update of www.example.org. failed: {code}: ")
    assert error.remedy
    assert error.code == code
