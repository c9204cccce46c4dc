"""Tests inside lab VMs: one boot for each lab that the marks name, its reports brought out.

``@pytest.mark.network(lab="runs")`` says in which boot a test runs; tests of one boot share what
was built there. Boots run beside each other, one for each CPU. The inner pytest writes each report
as a line of JSON to the VM's standard output; everything else that it prints is in the console log.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from netcont.errors import NetcontError
from netcont.lab.cache import LabFiles, find_lab_files, lab_environment
from netcont.lab.comparison import needed_by, worker_environment
from netcont.lab.qemu import VmSettings
from netcont.lab.resident import needed_files
from netcont.lab.vm import Vm, compile_sources, describe_log
from netcont.model.scenario import Scenario

IN_LAB = "NETCONT_IN_LAB"
"""Set inside a lab: the directory that is brought out of it."""

RESIDENT_FILE = "resident.pickle"
_REPORTS_FD = 3
_REPORT = "report "
_PROGRAMS = "ip bridge tc tcpdump dig arping ping sleep nsenter nft timeout iperf3"
_SETTINGS = VmSettings(memory_bytes=1536 * 2**20, watchdog_s=300, limit_s=1500)


def tell(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Inside a lab VM: hands a report to the host's pytest."""
    if _REPORTS_FD_VARIABLE in os.environ:
        line = _REPORT + json.dumps(_plain(report)) + "\n"
        with os.fdopen(int(os.environ[_REPORTS_FD_VARIABLE]), "w", closefd=False) as reports:
            reports.write(line)


_REPORTS_FD_VARIABLE = "NETCONT_REPORTS_FD"


def _plain(report: pytest.TestReport | pytest.CollectReport) -> dict[str, object]:
    data: dict[str, object] = report._to_json()
    data["kind"] = "test" if isinstance(report, pytest.TestReport) else "collect"
    return data


class Boots:
    """The labs that a session's network tests need; each is started when its first test is due."""

    def __init__(self, config: pytest.Config, items: Sequence[pytest.Item]) -> None:
        self._config = config
        self._directory = Path(tempfile.mkdtemp(prefix="netcont-tests-"))
        self._labs: dict[str, list[str]] = {}
        self._lab_of: dict[str, str] = {}
        for item in items:
            mark = item.get_closest_marker("network")
            assert mark is not None
            lab = str(mark.kwargs.get("lab", "kernel"))
            self._labs.setdefault(lab, []).append(item.nodeid)
            self._lab_of[item.nodeid] = lab
        self._news = threading.Condition()
        self._done: dict[str, list[pytest.TestReport]] = {}
        self._over: dict[str, str] = {}
        self._vms: list[Vm] = []
        self._pool: ThreadPoolExecutor | None = None
        self._closing = False
        self._failed = False

    def has(self, item: pytest.Item) -> bool:
        """Whether this test runs in one of the labs."""
        return item.nodeid in self._lab_of

    def reports(self, item: pytest.Item) -> Iterable[pytest.TestReport]:
        """What the lab says of this test; waits for it. One failure if the lab says nothing."""
        if self._pool is None:
            self._start()
        lab = self._lab_of[item.nodeid]
        with self._news:
            self._news.wait_for(lambda: self._finished(item.nodeid) or lab in self._over)
            found = list(self._done.get(item.nodeid, ()))
            why = self._over.get(lab, "")
        if not self._finished(item.nodeid):
            found.append(_missing(item, why or "the lab ended without a word"))
        self._failed |= any(report.failed for report in found)
        return found

    def _finished(self, nodeid: str) -> bool:
        return any(report.when == "teardown" for report in self._done.get(nodeid, ()))

    def _start(self) -> None:
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)
        try:
            files = find_lab_files()
        except NetcontError as error:
            self._over = dict.fromkeys(self._labs, str(error))
            return
        compile_sources()
        resident = _resident(files)
        for lab, tests in self._labs.items():
            self._pool.submit(self._run, lab, tests, files, resident)

    def _run(self, lab: str, tests: list[str], files: LabFiles, resident: tuple[str, ...]) -> None:
        directory = self._directory / lab
        directory.mkdir()
        why = ""
        try:
            why = self._run_lab(directory, tests, files, resident)
        except NetcontError as error:
            why = str(error)
        except BaseException as error:
            why = f"{type(error).__name__}: {error}"
            raise
        finally:
            with self._news:
                self._over[lab] = why
                self._news.notify_all()

    def _run_lab(
        self, directory: Path, tests: list[str], files: LabFiles, resident: tuple[str, ...]
    ) -> str:
        """Returns why tests may be without a report."""
        (directory / RESIDENT_FILE).write_bytes(pickle.dumps(resident))
        inner = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-vv", "--lab", "host"]
        inner += ["--rootdir", str(self._config.rootpath), *tests]
        problems = []
        with Vm(
            # The reports get the pipe for themselves, what is printed goes to the console log.
            ["/bin/sh", "-c", f'exec {_REPORTS_FD}>&1 1>&2; exec "$@"', "sh", *inner],
            files=files,
            output_dir=directory,
            console_log=directory / "console.log",
            settings=_SETTINGS,
            environment={
                **worker_environment({}),
                IN_LAB: str(directory),
                _REPORTS_FD_VARIABLE: str(_REPORTS_FD),
                # Only ours: others' plugins take seconds to import there.
                "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            },
        ) as vm:
            with self._news:
                self._vms.append(vm)
                if self._closing:
                    return "the session is over"
            for line in vm.lines():
                if line.startswith(_REPORT):
                    problems += self._take(json.loads(line.removeprefix(_REPORT)))
        return "\n".join(problems) or describe_log(directory / "console.log")

    def _take(self, data: dict[str, object]) -> list[str]:
        if data.pop("kind") == "collect":
            return [str(pytest.CollectReport._from_json(data).longreprtext)]
        report = pytest.TestReport._from_json(data)
        with self._news:
            self._done.setdefault(report.nodeid, []).append(report)
            self._news.notify_all()
        return []

    def close(self) -> None:
        """Stops what still runs. The labs' directories stay if a test failed."""
        with self._news:
            self._closing = True
            vms = list(self._vms)
        for vm in vms:
            vm.stop()
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        if self._failed:
            print(f"\nwhat the labs left behind: {self._directory}")
        else:
            shutil.rmtree(self._directory, ignore_errors=True)


def _resident(files: LabFiles) -> tuple[str, ...]:
    environment = lab_environment(files)
    return (*needed_by(Scenario(), environment), *needed_files([_PROGRAMS], environment))


def _missing(item: pytest.Item, why: str) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=item.nodeid,
        location=item.location,
        keywords=dict.fromkeys(item.keywords, 1),
        outcome="failed",
        longrepr=f"no result of this test came out of its lab:\n{why}",
        when="call",
    )
