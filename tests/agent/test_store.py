"""What the file remembers, whom it belongs to, and what it refuses to be."""

from __future__ import annotations

import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from math import inf
from pathlib import Path

import pytest

from netcont.agent.store import Store
from netcont.errors import ConfigurationError, KernelError, PrerequisiteError
from netcont.mobileip.binding import Binding
from netcont.mobileip.messages import Flags
from netcont.mobileip.snapshot import HomeSnapshot
from netcont.model.plan import DelLink, DelRoute, Plan, SetUp

from .agents import AGENT_A, HOME, NOW, OTHER_HOME, store

H = int(HOME)
CARE_OF = IPv4Address("198.51.100.7")
RELAYED = Binding(HOME, AGENT_A, Flags.S | Flags.G, 300, NOW + 300.25, 2**64 - 1, 1000, AGENT_A, 7)
COLOCATED = Binding(HOME, CARE_OF, Flags.D | Flags.T, 65535, inf, 2**63, 2**32 - 1)


def saved(path: Path | None, *bindings: Binding) -> Store:
    opened = store(path)
    opened.save([H], bindings, [(H, bindings[-1].identification if bindings else 1, None)])
    return opened


def test_bindings_and_numbers_survive_to_the_bit(tmp_path: Path) -> None:
    file = tmp_path / "state"
    saved(file, COLOCATED, RELAYED).close()
    again = Store(file)
    assert again.load() == HomeSnapshot((COLOCATED, RELAYED), ((HOME, 2**64 - 1),), ())
    again.close()


def test_what_is_saved_of_a_home_address_replaces_all_that_was() -> None:
    opened = saved(None, COLOCATED, RELAYED)
    opened.save([H], [RELAYED], [(H, 5, None)])
    assert opened.load() == HomeSnapshot((RELAYED,), ((HOME, 5),), ())
    opened.save([H], [], [(H, 6, 77)])
    assert opened.load() == HomeSnapshot((), ((HOME, 6),), ((HOME, 77),))
    opened.close()


def test_other_home_addresses_are_not_touched() -> None:
    opened = saved(None, RELAYED)
    opened.save([int(OTHER_HOME)], [], [(int(OTHER_HOME), None, 0)])
    assert opened.load() == HomeSnapshot((RELAYED,), ((HOME, 2**64 - 1),), ((OTHER_HOME, 0),))
    opened.close()


def test_what_a_killed_daemon_had_saved_is_there(tmp_path: Path) -> None:
    file, copy = tmp_path / "state", tmp_path / "copy"
    opened = saved(file, RELAYED)
    for suffix in ("", "-wal"):
        Path(f"{copy}{suffix}").write_bytes(Path(f"{file}{suffix}").read_bytes())
    copy.chmod(0o600)
    opened.close()
    again = Store(copy)
    assert again.load().bindings == (RELAYED,)
    again.close()


def test_a_second_daemon_on_the_same_file_is_refused(tmp_path: Path) -> None:
    first = saved(tmp_path / "state", RELAYED)
    with pytest.raises(ConfigurationError, match="locked") as refused:
        Store(tmp_path / "state")
    assert "another agent" in refused.value.remedy
    assert first.load().bindings == (RELAYED,)
    first.close()
    Store(tmp_path / "state").close()


def other_version(file: Path) -> None:
    with sqlite3.connect(file) as db:
        db.execute("PRAGMA user_version=99")
    db.close()


def torn(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-4096])


def scribbled(file: Path) -> None:
    body = bytearray(file.read_bytes())
    body[4096:] = b"\xff" * (len(body) - 4096)
    file.write_bytes(body)


def something_else(file: Path) -> None:
    file.write_bytes(b"not a database, but long enough to be mistaken for one" * 100)


@pytest.mark.parametrize("spoil", [other_version, torn, scribbled, something_else])
def test_a_file_that_is_not_sound_is_refused_with_a_remedy(tmp_path: Path, spoil: object) -> None:
    file = tmp_path / "state"
    saved(file, COLOCATED, RELAYED).close()
    assert callable(spoil)
    spoil(file)
    with pytest.raises(ConfigurationError) as refused:
        Store(file)
    assert str(file) in refused.value.message
    assert "remove it" in refused.value.remedy


def test_a_directory_in_the_place_of_the_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot keep bindings"):
        Store(tmp_path)


def test_a_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "state"
    saved(file).close()
    file.chmod(0o622)
    with pytest.raises(ConfigurationError, match="others may write it"):
        Store(file)


def test_nobody_else_can_read_the_file(tmp_path: Path) -> None:
    saved(tmp_path / "deep" / "state").close()
    assert (tmp_path / "deep" / "state").stat().st_mode & 0o777 == 0o600


@contextmanager
def full_disk(size_bytes: int) -> Iterator[None]:
    """No file grows over this size within the block."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_what_finds_no_room_is_written_as_a_whole_later(tmp_path: Path) -> None:
    opened = saved(tmp_path / "state", RELAYED)
    with full_disk(1), pytest.raises(PrerequisiteError, match="cannot write") as refused:
        opened.save([H], [COLOCATED], [(H, 9, None)])
    assert "disk" in refused.value.remedy
    assert opened.load().bindings == (RELAYED,)
    opened.save([H], [COLOCATED], [(H, 9, None)])
    assert opened.load().bindings == (COLOCATED,)
    opened.close()


def test_without_room_for_its_undo_a_change_is_not_made(tmp_path: Path) -> None:
    opened = store(tmp_path / "state")
    with full_disk(1), pytest.raises(KernelError, match="no undo could be noted"):
        opened.journal("key").add(DelLink("here", "x" * 8192))
    assert opened.pending("key") == ()
    opened.close()


FIRST, SECOND, THIRD = DelLink("n", "one"), SetUp("n", "two"), DelRoute("n", "10.0.0.0/8", "eth0")


def test_undos_come_back_in_the_order_in_which_they_were_noted(tmp_path: Path) -> None:
    opened = store(tmp_path / "state")
    journal = opened.journal("key")
    for undo in (FIRST, SECOND, THIRD):
        journal.add(undo)
    journal.drop()
    journal.add(FIRST)
    opened.journal("other").add(SECOND)
    opened.close()
    again = store(tmp_path / "state")
    assert again.pending("key") == (FIRST, SECOND, FIRST)
    assert again.pending("other") == (SECOND,)
    assert again.journalled() == ("other", "key")
    again.close()


def test_a_plan_that_was_applied_whole_stands_in_the_place_of_the_old_one() -> None:
    opened = store()
    opened.journal("key").add(FIRST)
    opened.journal("key (new)").add(SECOND)
    plan = Plan((SECOND,))
    opened.rename("key (new)", "key", plan)
    assert opened.applied() == {"key": plan}
    assert opened.pending("key") == (SECOND,)
    assert opened.journalled() == ("key",)
    opened.forget_undos("key")
    assert (opened.applied(), opened.journalled()) == ({}, ())
    opened.close()


def test_guests_are_remembered_until_they_are_forgotten() -> None:
    opened = store()
    opened.save_guest(H, ahead=True)
    assert opened.guests() == {H: True}
    opened.save_guest(H, ahead=False)
    assert opened.guests() == {H: False}
    opened.forget_guest(H)
    assert opened.guests() == {}
    opened.close()


def test_in_the_same_kernel_undos_stay_and_timestamps_count_from_the_first_start(
    tmp_path: Path,
) -> None:
    file = tmp_path / "state"
    opened = store(file, now=NOW)
    opened.journal("key").add(FIRST)
    assert opened.since == NOW
    opened.close()
    again = store(file, now=NOW + 100)
    assert (again.since, again.pending("key")) == (NOW, (FIRST,))
    again.close()


def test_in_another_kernel_there_is_nothing_to_undo_and_timestamps_count_from_now(
    tmp_path: Path,
) -> None:
    file = tmp_path / "state"
    opened = saved(file, RELAYED)
    opened.journal("key (new)").add(FIRST)
    opened.rename("key (new)", "key", Plan((SECOND,)))
    opened.close()
    again = store(file, origin="after a reboot", now=NOW + 100)
    assert again.since == NOW + 100
    assert (again.applied(), again.journalled()) == ({}, ())
    assert again.load().bindings == (RELAYED,)
    again.close()


def test_a_clock_that_went_back_locks_nobody_out(tmp_path: Path) -> None:
    store(tmp_path / "state", now=NOW + 1e6).close()
    again = store(tmp_path / "state", now=NOW)
    assert again.since == NOW
    again.close()
