"""The foreign agent's role: guests that it registers, joined to a home agent in memory."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from netcont.agent.foreign import ForeignDaemon
from netcont.agent.home import HomeDaemon
from netcont.agent.role import Out
from netcont.agent.settings import Guest
from netcont.agent.store import Store
from netcont.errors import ConfigurationError
from netcont.mobileip.events import Deregistered, Registered
from netcont.mobileip.messages import PORT

from .agents import (
    AGENT_A,
    HOME,
    HOME_AGENT,
    KEY,
    NOW,
    binding_of,
    foreign_settings,
    here,
    home_settings,
    store,
)

GUEST = Guest(home_address=HOME, home_agent=HOME_AGENT, key=KEY)


class Site:
    """A foreign agent with one guest, and its home agent."""

    def __init__(self, path: Path | None = None) -> None:
        self.home_store = store()
        self.home = HomeDaemon(home_settings(), here(), self.home_store)
        self.home.start(NOW - 1)
        self.begin(path)

    def begin(self, path: Path | None, now: float = NOW) -> Out:
        self.store: Store = store(path)
        self.agent = ForeignDaemon(foreign_settings(GUEST), here(), self.store)
        return self.carried(self.agent.start(now), now)

    def tell(self, do: str, now: float = NOW) -> Out:
        request = {"do": do, "home_address": str(HOME)}
        return self.carried(self.agent.command(request, now), now)

    def carried(self, out: Out, now: float) -> Out:
        """What becomes of it when the home agent has answered."""
        asked = [(one.data, (AGENT_A, PORT)) for one in out.replies]
        answers = self.home.receive(asked, now).replies
        return self.agent.receive([(one.data, (HOME_AGENT, PORT)) for one in answers], now)

    def guest(self) -> dict[str, object]:
        (told,) = json.loads(json.dumps(self.agent.status(NOW)))["guests"]
        assert isinstance(told, dict)
        return told

    def close(self) -> None:
        self.store.close()
        self.home_store.close()


def test_a_guest_that_has_come_is_registered_and_stays_so_after_a_restart(tmp_path: Path) -> None:
    site = Site(tmp_path / "state")
    assert site.guest()["registered"] is False
    assert site.tell("register").events == (Registered(HOME, AGENT_A, 300),)
    assert site.guest()["registered"] is True
    assert binding_of(site.home) == str(AGENT_A)
    site.store.close()
    assert site.begin(tmp_path / "state", NOW + 1).events == (Registered(HOME, AGENT_A, 300),)
    site.close()


def test_a_guest_that_will_come_is_prepared_beside_its_place() -> None:
    site = Site()
    site.tell("prepare")
    assert site.guest()["prepared"] is True
    assert site.guest()["registered"] is False
    (binding,) = site.home.status(NOW)["bindings"]
    assert "SIMULTANEOUS_BINDINGS" in binding["flags"]
    site.tell("register", NOW + 1)
    (binding,) = site.home.status(NOW)["bindings"]
    assert "SIMULTANEOUS_BINDINGS" not in binding["flags"]
    site.close()


def test_a_guest_that_has_left_is_forgotten_here_and_there(tmp_path: Path) -> None:
    site = Site(tmp_path / "state")
    site.tell("register")
    assert site.tell("leave", NOW + 1).events == (Deregistered(HOME, AGENT_A),)
    assert binding_of(site.home) is None
    site.store.close()
    assert site.begin(tmp_path / "state", NOW + 2).events == ()
    site.close()


def test_a_registration_is_renewed_before_it_ends() -> None:
    site = Site()
    site.tell("register")
    for at in (150, 300, 450):
        site.carried(site.agent.expire(NOW + at), NOW + at)
        assert binding_of(site.home) == str(AGENT_A)
    (binding,) = site.home.status(NOW + 450)["bindings"]
    assert binding["remaining_s"] == 300.0
    site.close()


def test_what_makes_no_sense_is_refused_with_words() -> None:
    site = Site()
    with pytest.raises(ConfigurationError, match="is no guest of this agent"):
        site.agent.command({"do": "register", "home_address": "10.0.0.99"}, NOW)
    with pytest.raises(ConfigurationError, match="cannot 'dance'"):
        site.agent.command({"do": "dance", "home_address": str(HOME)}, NOW)
    with pytest.raises(ValueError, match="here"):
        site.agent.command({"do": "register", "home_address": "here"}, NOW)
    site.close()


def test_strangers_datagrams_change_nothing() -> None:
    site = Site()
    site.tell("register")
    before = site.agent.status(NOW)
    for data in (b"", b"\x03", b"\x03" * 20, b"\xff" * 100):
        assert site.agent.receive([(data, (HOME_AGENT, PORT))], NOW).replies == ()
    assert site.agent.status(NOW) == before
    site.close()
