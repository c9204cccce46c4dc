"""One side of a deployment, as what is made there is derived from it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from netcont.model.deployment import Deployment, Side, SideName
from netcont.model.own import ALIAS
from netcont.model.plan import Change, SetUp


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

    def up(self, link: str) -> Change:
        """Sets a link of netcont's up, and says on it whose it is."""
        return SetUp(self.node, link, alias=f"{ALIAS} {self.name}")
