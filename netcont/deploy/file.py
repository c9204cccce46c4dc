"""From a TOML file to a checked Deployment, or to everything that is wrong with it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli  # as tomllib, but compiled: a thousand tunnels are read in a third of the time

from netcont.deploy.kinds import table_of
from netcont.deploy.problems import DeploymentError, Problem
from netcont.deploy.rules import broken_rules
from netcont.errors import ConfigurationError
from netcont.model.deployment import Deployment


def load_deployment(path: Path) -> Deployment:
    """The deployment of a TOML file, checked and complete.

    Raises DeploymentError with all that is wrong in it, or ConfigurationError if it cannot be read.
    """
    return _placed(check(_parse(path), str(path)), path.absolute().parent)


def check(raw: Mapping[str, Any], label: str) -> Deployment:
    """The deployment that a parsed file describes. Raises DeploymentError."""
    problems: list[Problem] = []
    deployment = table_of(Deployment).read(raw, "", problems)
    problems = problems or broken_rules(deployment)
    if problems:
        raise DeploymentError(label, problems)
    assert isinstance(deployment, Deployment)
    return deployment


def _placed(deployment: Deployment, directory: Path) -> Deployment:
    """Names of key files count from the directory of the file that names them."""

    agent = deployment.home_agent

    def placed(name: str | None) -> str | None:
        return None if name is None else str(directory / name)

    return replace(
        deployment,
        home_agent=agent
        and agent._replace(
            key_file=str(directory / agent.key_file),
            agents_key_file=placed(agent.agents_key_file),
        ),
        dns=tuple(
            one._replace(key_file=placed(one.key_file), ptr_key_file=placed(one.ptr_key_file))
            for one in deployment.dns
        ),
    )


def deployment_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) of deployment files; it does not know what joins two values."""
    definitions: dict[str, Any] = {}
    table_of(Deployment).schema(definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "netcont deployment",
        **definitions.pop(Deployment.__name__),
        "$defs": definitions,
    }


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomli.loads(_content(path).decode("utf-8-sig"))
    except tomli.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{path}: not TOML: {error}",
            remedy='mend that line; texts stand in quotes: kind = "gre"',
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path}: is not UTF-8 text", remedy="save it as UTF-8") from error
    except RecursionError as error:
        raise ConfigurationError(f"{path}: nested too deeply", remedy="nest it less") from error
    except (OSError, ValueError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigurationError(
            f"{path}: cannot be read: {why}", remedy="name a TOML file that you may read"
        ) from error


def _content(path: Path) -> bytes:
    """What a regular file holds. Raises OSError, or ConfigurationError if it is something else."""
    with open(path, "rb", opener=_open_at_once) as file:
        kind = _KINDS.get(stat.S_IFMT(os.fstat(file.fileno()).st_mode), "something else")
        if kind:
            raise ConfigurationError(
                f"{path}: is {kind}, no regular file",
                remedy="write it into a file and name that: after a reboot it is read again",
            )
        return file.read()


def _open_at_once(path: str, flags: int) -> int:
    # Opening a FIFO waits for who writes into it, which may be nobody.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


_KINDS = {stat.S_IFREG: "", stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device"}
