"""The codes of a Registration Reply."""

from __future__ import annotations

from enum import IntEnum

_FOREIGN_FIRST, _FOREIGN_LAST = 64, 127
_HOME_FIRST, _HOME_LAST = 128, 192
_FOREIGN_BEYOND = range(194, 201)
"""RFC 5944 section 3.4 gives foreign agents a second block, past that of the home agents."""


class Code(IntEnum):
    """What an agent says about a registration; RFC 5944 section 3.4 where nothing else is said."""

    ACCEPTED = 0
    ACCEPTED_WITHOUT_SIMULTANEOUS_BINDINGS = 1

    FA_UNSPECIFIED = 64
    FA_ADMINISTRATIVELY_PROHIBITED = 65
    FA_INSUFFICIENT_RESOURCES = 66
    FA_MOBILE_NODE_FAILED_AUTHENTICATION = 67
    FA_HOME_AGENT_FAILED_AUTHENTICATION = 68
    FA_LIFETIME_TOO_LONG = 69
    FA_POORLY_FORMED_REQUEST = 70
    FA_POORLY_FORMED_REPLY = 71
    FA_ENCAPSULATION_UNAVAILABLE = 72
    FA_RESERVED_UNAVAILABLE = 73
    FA_REVERSE_TUNNEL_UNAVAILABLE = 74  # RFC 3024 section 3.4
    FA_REVERSE_TUNNEL_MANDATORY = 75  # RFC 3024 section 3.4
    FA_MOBILE_NODE_TOO_DISTANT = 76  # RFC 3024 section 3.4
    FA_INVALID_CARE_OF_ADDRESS = 77
    FA_REGISTRATION_TIMEOUT = 78
    FA_DELIVERY_STYLE_UNSUPPORTED = 79  # RFC 3024 section 3.4
    FA_HOME_NETWORK_UNREACHABLE = 80
    FA_HOME_AGENT_HOST_UNREACHABLE = 81
    FA_HOME_AGENT_PORT_UNREACHABLE = 82
    FA_HOME_AGENT_UNREACHABLE = 88
    FA_NONZERO_HOME_ADDRESS_REQUIRED = 96  # RFC 2794 section 5
    FA_MISSING_NAI = 97  # IANA, "Mobile IPv4 Numbers"
    FA_MISSING_HOME_AGENT = 98  # IANA, "Mobile IPv4 Numbers"
    FA_MISSING_HOME_ADDRESS = 99  # IANA, "Mobile IPv4 Numbers"
    FA_UNKNOWN_CHALLENGE = 104  # RFC 4721 section 10
    FA_MISSING_CHALLENGE = 105  # RFC 4721 section 10
    FA_STALE_CHALLENGE = 106  # RFC 4721 section 10
    FA_MOBILE_NODE_FAILED_AAA = 108  # RFC 4721 section 10
    FA_WRONG_CHALLENGE_IN_REPLY = 109  # RFC 4721 section 10

    HA_UNSPECIFIED = 128
    HA_ADMINISTRATIVELY_PROHIBITED = 129
    HA_INSUFFICIENT_RESOURCES = 130
    HA_MOBILE_NODE_FAILED_AUTHENTICATION = 131
    HA_FOREIGN_AGENT_FAILED_AUTHENTICATION = 132
    HA_IDENTIFICATION_MISMATCH = 133
    HA_POORLY_FORMED_REQUEST = 134
    HA_TOO_MANY_BINDINGS = 135
    HA_UNKNOWN_HOME_AGENT = 136
    HA_REVERSE_TUNNEL_UNAVAILABLE = 137  # RFC 3024 section 3.4
    HA_REVERSE_TUNNEL_MANDATORY = 138  # RFC 3024 section 3.4
    HA_ENCAPSULATION_UNAVAILABLE = 139  # RFC 3024 section 3.4
    HA_MOBILE_NODE_FAILED_AAA = 144  # RFC 4721 section 10

    FA_INVALID_HOME_AGENT_ADDRESS = 194

    @property
    def text(self) -> str:
        """The code in words, with who says it."""
        return describe(self)

    @property
    def accepted(self) -> bool:
        return is_accepted(self)

    @property
    def by_foreign(self) -> bool:
        """Whether a foreign agent denies with it."""
        return is_by_foreign(self)

    @property
    def by_home(self) -> bool:
        """Whether a home agent denies with it."""
        return is_by_home(self)


def is_accepted(code: int) -> bool:
    """Whether the registration stands (RFC 5944 section 3.4: 0 and 1)."""
    return code in (Code.ACCEPTED, Code.ACCEPTED_WITHOUT_SIMULTANEOUS_BINDINGS)


def is_by_foreign(code: int) -> bool:
    """Whether a foreign agent denies with the code, known to us or not."""
    return _FOREIGN_FIRST <= code <= _FOREIGN_LAST or code in _FOREIGN_BEYOND


def is_by_home(code: int) -> bool:
    """Whether a home agent denies with the code, known to us or not."""
    return _HOME_FIRST <= code <= _HOME_LAST


def describe(code: int) -> str:
    """Any code in words, for people: unknown ones by their number and who says them."""
    words = _TEXTS.get(code)
    if is_by_foreign(code):
        speaker = "denied by the foreign agent"
    elif is_by_home(code):
        speaker = "denied by the home agent"
    else:
        return words or f"unknown code {code}"
    return f"{speaker}: {words or f'unknown code {code}'}"


_TEXTS: dict[int, str] = {
    Code.ACCEPTED: "registration accepted",
    Code.ACCEPTED_WITHOUT_SIMULTANEOUS_BINDINGS: (
        "registration accepted, but simultaneous bindings are not supported"
    ),
    Code.FA_UNSPECIFIED: "no reason given",
    Code.FA_ADMINISTRATIVELY_PROHIBITED: "administratively prohibited",
    Code.FA_INSUFFICIENT_RESOURCES: "insufficient resources",
    Code.FA_MOBILE_NODE_FAILED_AUTHENTICATION: "the mobile node failed authentication",
    Code.FA_HOME_AGENT_FAILED_AUTHENTICATION: "the home agent failed authentication",
    Code.FA_LIFETIME_TOO_LONG: "the requested lifetime is too long",
    Code.FA_POORLY_FORMED_REQUEST: "poorly formed request",
    Code.FA_POORLY_FORMED_REPLY: "poorly formed reply",
    Code.FA_ENCAPSULATION_UNAVAILABLE: "the requested encapsulation is unavailable",
    Code.FA_RESERVED_UNAVAILABLE: "a reserved feature is unavailable",
    Code.FA_REVERSE_TUNNEL_UNAVAILABLE: "the requested reverse tunnel is unavailable",
    Code.FA_REVERSE_TUNNEL_MANDATORY: "a reverse tunnel is mandatory and the T bit is not set",
    Code.FA_MOBILE_NODE_TOO_DISTANT: "the mobile node is too distant",
    Code.FA_INVALID_CARE_OF_ADDRESS: "invalid care-of address",
    Code.FA_REGISTRATION_TIMEOUT: "the home agent did not answer in time",
    Code.FA_DELIVERY_STYLE_UNSUPPORTED: "the delivery style is not supported",
    Code.FA_HOME_NETWORK_UNREACHABLE: "the home network is unreachable",
    Code.FA_HOME_AGENT_HOST_UNREACHABLE: "the home agent's host is unreachable",
    Code.FA_HOME_AGENT_PORT_UNREACHABLE: "the home agent's port is unreachable",
    Code.FA_HOME_AGENT_UNREACHABLE: "the home agent is unreachable",
    Code.FA_NONZERO_HOME_ADDRESS_REQUIRED: "a home address other than zero is required",
    Code.FA_MISSING_NAI: "the network access identifier is missing",
    Code.FA_MISSING_HOME_AGENT: "the home agent is missing",
    Code.FA_MISSING_HOME_ADDRESS: "the home address is missing",
    Code.FA_UNKNOWN_CHALLENGE: "unknown challenge",
    Code.FA_MISSING_CHALLENGE: "missing challenge",
    Code.FA_STALE_CHALLENGE: "stale challenge",
    Code.FA_MOBILE_NODE_FAILED_AAA: "the mobile node failed AAA authentication",
    Code.FA_WRONG_CHALLENGE_IN_REPLY: "the home agent sent a wrong challenge in its reply",
    Code.FA_INVALID_HOME_AGENT_ADDRESS: "invalid home agent address",
    Code.HA_UNSPECIFIED: "no reason given",
    Code.HA_ADMINISTRATIVELY_PROHIBITED: "administratively prohibited",
    Code.HA_INSUFFICIENT_RESOURCES: "insufficient resources",
    Code.HA_MOBILE_NODE_FAILED_AUTHENTICATION: "the mobile node failed authentication",
    Code.HA_FOREIGN_AGENT_FAILED_AUTHENTICATION: "the foreign agent failed authentication",
    Code.HA_IDENTIFICATION_MISMATCH: "the identification does not match",
    Code.HA_POORLY_FORMED_REQUEST: "poorly formed request",
    Code.HA_TOO_MANY_BINDINGS: "too many simultaneous bindings",
    Code.HA_UNKNOWN_HOME_AGENT: "unknown home agent address",
    Code.HA_REVERSE_TUNNEL_UNAVAILABLE: "the requested reverse tunnel is unavailable",
    Code.HA_REVERSE_TUNNEL_MANDATORY: "a reverse tunnel is mandatory and the T bit is not set",
    Code.HA_ENCAPSULATION_UNAVAILABLE: "the requested encapsulation is unavailable",
    Code.HA_MOBILE_NODE_FAILED_AAA: "the mobile node failed AAA authentication",
}
