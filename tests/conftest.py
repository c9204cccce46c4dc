"""Tests marked ``network`` need a complete kernel and root: they run inside a lab VM.

On the host each of them is an ordinary test whose result is brought out of the lab (see
network/boots.py). ``--lab host`` runs them right here instead, as root, in namespaces of their own.
"""

from __future__ import annotations

import os

import pytest
from network.boots import IN_LAB, Boots, tell

_boots = pytest.StashKey[Boots]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--lab",
        choices=("vm", "host"),
        default="vm",
        help="where tests marked network run: in lab VMs (default), or as root on this host",
    )


def _elsewhere(config: pytest.Config) -> bool:
    """Whether network tests run in a lab that this session has to start."""
    return IN_LAB not in os.environ and config.getoption("--lab") == "vm"


def pytest_collection_finish(session: pytest.Session) -> None:
    if _elsewhere(session.config) and not session.config.getoption("--collect-only"):
        session.config.stash[_boots] = Boots(
            session.config,
            [item for item in session.items if item.get_closest_marker("network")],
        )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    boots = item.config.stash.get(_boots, None)
    if boots is None or not boots.has(item):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in boots.reports(item):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def pytest_unconfigure(config: pytest.Config) -> None:
    boots = config.stash.get(_boots, None)
    if boots is not None:
        boots.close()


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    tell(report)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.failed:
        tell(report)
