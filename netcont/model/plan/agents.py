"""Mobile IP agents as processes, and the registrations that they are asked for (RFC 5944)."""

from __future__ import annotations

import shlex

from netcont.model.plan.change import Change, change


@change
class StopAgent(Change):
    """The agent that RunAgent with the same fields started is stopped; what it did is undone."""

    role: str
    stem: str
    control: str

    def commands(self) -> tuple[str, ...]:
        return (f"kill $(cat {shlex.quote(self.stem)}.lock)  # the {self.role} agent",)


@change
class RunAgent(Change):
    """An agent runs until it is stopped.

    role: home or foreign. stem: of its files (settings, state, log), without an ending. control:
    its socket. settings: its TOML text, without secrets. tunnels: the kind of link that it makes.
    """

    role: str
    stem: str
    control: str
    settings: str
    tunnels: str = "ipip"

    def undo(self) -> StopAgent:
        return StopAgent(self.node, self.role, self.stem, self.control)

    def commands(self) -> tuple[str, ...]:
        file = shlex.quote(f"{self.stem}.toml")
        lines = " ".join(map(shlex.quote, self.settings.splitlines()))
        return (f"printf '%s\\n' {lines} > {file}", f"netcont agent {self.role} --config {file} &")


@change
class Leave(Change):
    """What Register with the same fields registered is ended. wait: for a while, until the home
    agent has heard it; if it does not, the binding ends with its lifetime."""

    control: str
    home_address: str
    wait: bool = False

    def commands(self) -> tuple[str, ...]:
        no_wait = "" if self.wait else " --no-wait"
        return (f"netcont agent leave {self.home_address} --control {self.control}{no_wait}",)


@change
class Register(Change):
    """The foreign agent on this node registers a guest with its home agent.

    control: the agent's socket. ahead: beside the guest's present place, which goes on. wait: until
    the home agent has agreed, limit_s at most; else the request is only sent.
    """

    control: str
    home_address: str
    ahead: bool
    wait: bool
    limit_s: float = 25.0

    def undo(self) -> Leave:
        return Leave(self.node, self.control, self.home_address, self.wait and not self.ahead)

    def commands(self) -> tuple[str, ...]:
        verb = "prepare" if self.ahead else "register"
        no_wait = "" if self.wait else " --no-wait"
        return (f"netcont agent {verb} {self.home_address} --control {self.control}{no_wait}",)
