"""Mininet's nodes, links and switches without a shell: made and set up through netlink.

A node's settings are a Plan in its parameter ``setup``, applied when Mininet configures it; its
parameter ``family`` (default: 4) says which IP it speaks. No link knows of IPv6 by itself: the plan
says which do. A shell is started only when somebody types a command (Mininet's CLI,
``node.cmd``). Everything lives in namespaces of its own and disappears with them: nothing is left
to clean up by name.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from mininet.link import Intf, Link
from mininet.node import Host, Switch
from pyroute2 import IPRoute

from netcont.kernel.interpreter import Interpreter
from netcont.kernel.namespace import Namespace, create_namespace
from netcont.model.plan import AddBridge, Plan, SetMaster, SetSysctl, SetUp

_RT_SCOPE_LINK = 253

_QUIET = {"net.ipv6.conf.all.disable_ipv6": "1", "net.ipv6.conf.default.disable_ipv6": "1"}
_SPEAKS_IPV6 = {
    "net.ipv6.conf.lo.disable_ipv6": "0",
    # An address can be used at once: nobody is asked for a second whether they have it.
    "net.ipv6.conf.default.accept_dad": "0",
    # Addresses and routes are the plan's: nobody asks routers for them, nor is told by them.
    "net.ipv6.conf.default.accept_ra": "0",
    "net.ipv6.conf.default.autoconf": "0",
    "net.ipv6.conf.default.accept_redirects": "0",
    # Who joins a group repeats it at once, and not after a random time.
    "net.ipv6.conf.default.mldv2_unsolicited_report_interval": "0",
}
"""What links that come later inherit: IPv6 without the second that an address is doubtful."""


class LabNode(Host):  # type: ignore[misc]
    """A Mininet host in a network namespace held by a process of its own (``pid``)."""

    # Set by Mininet: without types.
    pid: int | None
    _popen: Any

    def __init__(self, name: str, **params: Any) -> None:
        self.namespace: Namespace
        params["inNamespace"] = True
        super().__init__(name, **params)

    @classmethod
    def setup(cls) -> None:
        """Mininet would ask for mnexec and ifconfig here; they are needed only for a shell."""

    def startShell(self, mnopts: str | None = None) -> None:  # noqa: N802
        """Makes the namespace the first time; later calls start the shell inside it."""
        if self.pid is None:
            pid = create_namespace()
            self.pid, self.namespace = pid, Namespace(self.name, pid)
            speaks = _SPEAKS_IPV6 if self.params.get("family") == 6 else {}
            for key, value in (_QUIET | speaks).items():
                self.namespace.write_sysctl(key, value)
            return
        holder = self.pid
        opener, self._popen = self._popen, self._popen_attached
        try:
            super().startShell(mnopts)
        finally:
            self._popen = opener
            self.shell_pid, self.pid = self.pid, holder

    def _popen_attached(self, command: list[str], **params: Any) -> Any:
        attached = ["mnexec", "-da", str(self.namespace.pid), *command[2:]]
        return Host._popen(self, attached, **params)

    def sendCmd(self, *args: Any, **kwargs: Any) -> Any:  # noqa: N802
        """As Mininet's, with the shell started when first needed."""
        if not self.shell:
            self.startShell()
        return super().sendCmd(*args, **kwargs)

    def cmd(self, *args: Any, **kwargs: Any) -> Any:
        """As Mininet's, with the shell started when first needed."""
        if not self.shell:
            self.startShell()
        return super().cmd(*args, **kwargs)

    def address(self, link: str | None = None) -> str | None:
        """The first address on link, or on any link but lo, as the kernel has it now. One that is
        valid on its link only does not count."""
        if self.pid is None:
            return None
        lo = self.namespace.index("lo")
        wanted = None if link is None else self.namespace.index(link)
        for found in self.namespace.route.get_addr():
            index, scope = found["index"], found["scope"]
            if scope != _RT_SCOPE_LINK and (index == wanted or (wanted is None and index != lo)):
                return str(found.get_attr("IFA_LOCAL") or found.get_attr("IFA_ADDRESS"))
        return None

    def IP(self, intf: Any = None) -> str | None:  # noqa: N802
        """As Mininet's. A hypervisor's address is its bridge's, which Mininet does not know."""
        return self.address(None if intf is None else str(intf))

    def config(self, setup: Plan = Plan(), **params: Any) -> dict[str, Any]:  # noqa: B008
        """Applies this node's plan."""
        interpreter = Interpreter({self.name: self.namespace}, for_good=True)
        interpreter.apply(Plan((SetUp(self.name, "lo"),)) + setup)
        return {}

    def terminate(self) -> None:
        """Ends the shell, if there is one, and the process that holds the namespace."""
        if self.shell and self.shell.poll() is None:
            os.killpg(self.shell_pid, signal.SIGHUP)
        self.cleanup()
        if self.pid is not None:
            self.namespace.close()
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = None


class LanBridge(LabNode, Switch):  # type: ignore[misc]
    """A switch: a learning kernel bridge over all its ports, in a namespace of its own."""

    learning = True

    def __init__(self, name: str, **params: Any) -> None:
        params.setdefault("dpid", "1")
        super().__init__(name, **params)

    def start(self, controllers: Any = ()) -> None:
        """Bridges all ports. There is nothing for a controller to do."""
        bridge = f"{self.name}-br"
        ports = [intf.name for intf in self.intfList() if intf.name != "lo"]
        self.config(
            Plan(
                (
                    SetSysctl(self.name, "net.ipv4.ip_forward", "0"),
                    AddBridge(self.name, bridge, learning=self.learning),
                    SetUp(self.name, bridge),
                    *(SetMaster(self.name, port, bridge) for port in ports),
                    *(SetUp(self.name, port) for port in ports),
                )
            )
        )

    def connected(self) -> bool:
        """A learning bridge needs no controller."""
        return True


class QuietIntf(Intf):  # type: ignore[misc]
    """An interface that is configured by its node's plan, not by commands of its own."""

    def config(self, **params: Any) -> dict[str, Any]:
        """Nothing: see LabNode.config."""
        return {}

    def IP(self) -> str | None:  # noqa: N802
        """The kernel's word: Mininet only knows what it has set itself."""
        address: str | None = self.node.address(self.name)
        return address

    def updateIP(self) -> str | None:  # noqa: N802
        """The node's address if the link has none: the CLI puts it in the place of its name."""
        return self.IP() or self.node.IP()

    def delete(self) -> None:
        """Nothing: it goes with its namespace."""
        self.node.delIntf(self)


class VethLink(Link):  # type: ignore[misc]
    """A veth pair made by one netlink request, straight in the two nodes' namespaces."""

    def __init__(self, node1: Any, node2: Any, **params: Any) -> None:
        params["intf"] = QuietIntf
        super().__init__(node1, node2, **params)

    @classmethod
    def makeIntfPair(  # noqa: N802
        cls,
        intfname1: str,
        intfname2: str,
        addr1: str | None = None,
        addr2: str | None = None,
        node1: Any = None,
        node2: Any = None,
        deleteIntfs: bool = True,  # noqa: N803
    ) -> None:
        """See Link.makeIntfPair."""
        peer: dict[str, Any] = {"ifname": intfname2, "net_ns_pid": node2.pid}
        own: dict[str, Any] = {"ifname": intfname1, "net_ns_pid": node1.pid}
        if addr1:
            own["address"] = addr1
        if addr2:
            peer["address"] = addr2
        _root().link("add", kind="veth", peer=peer, **own)


_route: tuple[int, Any] | None = None


def _root() -> Any:
    """One netlink socket of this process's own namespace, for making pairs."""
    global _route
    if _route is None or _route[0] != os.getpid():
        _route = (os.getpid(), IPRoute(groups=0))
    return _route[1]
