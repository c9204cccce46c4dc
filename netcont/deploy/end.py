"""One side of a deployment, as what is made there is derived from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from netcont.model.deployment import Deployment, Side, SideName
from netcont.model.plan import Change, SetAlias

ALIAS = "netcont"


@dataclass(frozen=True)
class End:
    """name: the deployment's. node: what the changes call this host. switched: guests have moved to
    the other side. directory: for files of agents."""

    deployment: Deployment
    side: SideName
    name: str
    switched: bool = False
    node: str = "host"
    directory: str = ""

    @property
    def here(self) -> Side:
        """This side."""
        return self.deployment.at(self.side)

    @property
    def there(self) -> Side:
        """The other one."""
        return self.deployment.at(self.side.other)

    @property
    def lan(self) -> str:
        """The link of the guests here."""
        return self.here.link or ""

    def alias(self, link: str) -> Change:
        """Says on a link whose it is."""
        return SetAlias(self.node, link, f"{ALIAS} {self.name}")
