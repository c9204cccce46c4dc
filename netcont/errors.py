"""Every error that netcont raises on purpose: what is wrong, and what mends it."""

from __future__ import annotations


class NetcontError(Exception):
    """Root of netcont's errors.

    message says what is wrong, naming the thing and the value; remedy what to do about it.
    exit_code is what the command line ends with.
    """

    exit_code = 1

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n  remedy: {self.remedy}" if self.remedy else self.message


class ConfigurationError(NetcontError):
    """A scenario, an option or a file says something that cannot be (exit code 2)."""

    exit_code = 2


class PrerequisiteError(NetcontError):
    """A program, a kernel feature or a privilege is missing (exit code 5)."""

    exit_code = 5


class LabError(NetcontError):
    """The lab did not start, hung or died."""


class RunError(NetcontError):
    """A run of the lab or of a move failed."""


class KernelError(NetcontError):
    """The kernel refused a change; all earlier changes of the plan were undone."""

    def __init__(self, message: str, *, errno: int | None = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.errno = errno


class MigrationError(NetcontError):
    """A move failed; phase names where, and the source serves on unless it says otherwise."""

    def __init__(self, message: str, *, phase: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.phase = phase


class DnsError(NetcontError):
    """A name server refused, failed or stayed silent, or its answer cannot be trusted.

    code: the server's rcode or TSIG error in letters, or one of netcont's own (TIMEOUT, UNSIGNED,
    FORGED, DISAGREE …); server: who said so.
    """

    def __init__(self, message: str, *, code: str = "", server: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.code = code
        self.server = server
