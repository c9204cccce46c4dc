"""A plan's change of one record, against a real BIND."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from dns_servers import KEY, LOOPBACK, NEW_4, OLD_4, NameServer, bind, free_port, running

from netcont.deploy.here import NODE, Here
from netcont.errors import KernelError
from netcont.kernel.interpreter import Interpreter
from netcont.model.plan import Plan, TsigKey, UpdateRecord


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NameServer]:
    one = bind(tmp_path_factory.mktemp("named") / "primary")
    with running(one):
        yield one


@pytest.fixture
def update(server: NameServer) -> UpdateRecord:
    where = f"{server.address}#{server.port}"
    return UpdateRecord(NODE, where, "example.org", "www", "A", NEW_4, OLD_4, 5, KEY)


def apply(change: UpdateRecord) -> None:
    with Here() as node:
        Interpreter({NODE: node}, for_good=True).apply(Plan((change,)))


def test_a_record_is_given_its_value_once_and_taken_back(
    server: NameServer, update: UpdateRecord
) -> None:
    apply(update)
    assert ("5", "A", NEW_4) in server.transferred("example.org", "www.example.org.")
    serial = server.dig("example.org", "SOA", "+short")
    apply(update)
    assert server.dig("example.org", "SOA", "+short") == serial
    undo = update.undo()
    assert isinstance(undo, UpdateRecord)
    apply(undo)
    assert server.values("www.example.org", "A") == [OLD_4]


def test_a_newer_move_is_not_undone(server: NameServer, update: UpdateRecord) -> None:
    with pytest.raises(KernelError, match=r"NXRRSET.*somebody else changed them"):
        apply(replace(update, was="203.0.113.9"))
    assert server.values("www.example.org", "A") == [OLD_4]


def test_a_key_with_another_secret_is_refused(server: NameServer, update: UpdateRecord) -> None:
    wrong = TsigKey(KEY.name, KEY.algorithm, "d3Jvbmcgc2VjcmV0")
    with pytest.raises(KernelError, match=r"BADSIG"):
        apply(replace(update, key=wrong))
    assert server.values("www.example.org", "A") == [OLD_4]


def test_a_server_that_is_not_there_is_named(update: UpdateRecord) -> None:
    nobody = f"{LOOPBACK}#{free_port(LOOPBACK)}"
    with pytest.raises(KernelError, match=rf"host: {nobody}: .* UNREACHABLE"):
        apply(replace(update, server=nobody))
