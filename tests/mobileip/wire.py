"""Messages to test with: one of every kind, and Hypothesis's strategies for all others."""

from __future__ import annotations

from ipaddress import IPv4Address

from hypothesis import strategies as st

from netcont.mobileip.authentication import Algorithm, SecurityAssociation, sign
from netcont.mobileip.codes import Code
from netcont.mobileip.discovery import (
    COMMON_TRAFFIC,
    MOBILE_TRAFFIC_ONLY,
    AgentAdvertisement,
    AgentFlags,
    AgentSolicitation,
    Router,
)
from netcont.mobileip.extensions import (
    Authentication,
    AuthenticationKind,
    Challenge,
    EncapsulatingDelivery,
    Nai,
    RevocationSupport,
    Unknown,
)
from netcont.mobileip.messages import Flags, Message, RegistrationReply, RegistrationRequest
from netcont.mobileip.revocation import Revocation, RevocationAck

HOME_ADDRESS = IPv4Address("10.1.0.7")
HOME_AGENT = IPv4Address("10.1.0.1")
CARE_OF_ADDRESS = IPv4Address("192.0.2.9")
IDENTIFICATION = 0xE8D5_4321_8000_0001

MOBILE_HOME = SecurityAssociation(256, Algorithm.HMAC_SHA256, b"mobile and home!" * 2)
FOREIGN_HOME = SecurityAssociation(257, Algorithm.HMAC_MD5, b"foreign and home")
MOBILE_FOREIGN = SecurityAssociation(258, Algorithm.KEYED_MD5, b"mobile, foreign!", allow_weak=True)
ASSOCIATIONS = {one.spi: one for one in (MOBILE_HOME, FOREIGN_HOME, MOBILE_FOREIGN)}

REQUEST = RegistrationRequest(
    Flags.S | Flags.D | Flags.T,
    300,
    HOME_ADDRESS,
    HOME_AGENT,
    CARE_OF_ADDRESS,
    IDENTIFICATION,
    (
        EncapsulatingDelivery(),
        Nai(b"node@example.net"),
        Challenge(b"challenge"),
        Unknown(200, b"?"),
    ),
)
REPLY = RegistrationReply(
    Code.ACCEPTED, 300, HOME_ADDRESS, HOME_AGENT, IDENTIFICATION, (RevocationSupport(77, True),)
)
REVOCATION = Revocation(HOME_ADDRESS, HOME_AGENT, CARE_OF_ADDRESS, 0xE8D5_4321, True, True)
ACK = RevocationAck(HOME_ADDRESS, 0xE8D5_4321, True)

SIGNED: tuple[tuple[bytes, AuthenticationKind], ...] = (
    (sign(REQUEST, AuthenticationKind.MOBILE_HOME, MOBILE_HOME), AuthenticationKind.MOBILE_HOME),
    (sign(REPLY, AuthenticationKind.MOBILE_HOME, MOBILE_HOME), AuthenticationKind.MOBILE_HOME),
    (
        sign(
            sign(REQUEST, AuthenticationKind.MOBILE_HOME, MOBILE_HOME),
            AuthenticationKind.MOBILE_FOREIGN,
            MOBILE_FOREIGN,
        ),
        AuthenticationKind.MOBILE_FOREIGN,
    ),
    (
        sign(
            sign(REQUEST, AuthenticationKind.MOBILE_HOME, MOBILE_HOME),
            AuthenticationKind.FOREIGN_HOME,
            FOREIGN_HOME,
        ),
        AuthenticationKind.FOREIGN_HOME,
    ),
    (
        sign(REVOCATION, AuthenticationKind.FOREIGN_HOME, FOREIGN_HOME),
        AuthenticationKind.FOREIGN_HOME,
    ),
    (sign(ACK, AuthenticationKind.FOREIGN_HOME, FOREIGN_HOME), AuthenticationKind.FOREIGN_HOME),
)
"""Every kind of message with its outermost authenticator, and which that is."""

ADVERTISEMENT = AgentAdvertisement(
    sequence=4711,
    flags=AgentFlags.R | AgentFlags.F | AgentFlags.G | AgentFlags.T | AgentFlags.X,
    registration_lifetime_s=600,
    care_of_addresses=(CARE_OF_ADDRESS, IPv4Address("192.0.2.10")),
    routers=(Router(IPv4Address("192.0.2.1"), -5, 24), Router(IPv4Address("192.0.2.2"), 7, 32)),
    lifetime_s=30,
    challenge=b"12345",
)
SOLICITATION = AgentSolicitation()

addresses = st.integers(0, 2**32 - 1).map(IPv4Address)
_bits16 = st.integers(0, 2**16 - 1)
_bits32 = st.integers(0, 2**32 - 1)
_bits64 = st.integers(0, 2**64 - 1)
_bodies = st.binary(min_size=1, max_size=255)
_known_skippable = {130, 131, 132, 137}
_unknown = st.builds(
    Unknown,
    st.integers(128, 255).filter(lambda kind: kind not in _known_skippable),
    st.binary(max_size=255),
)
extensions = st.one_of(
    st.builds(
        Authentication,
        st.sampled_from(AuthenticationKind),
        _bits32,
        st.binary(min_size=1, max_size=251),
    ),
    st.just(EncapsulatingDelivery()),
    st.builds(Nai, _bodies),
    st.builds(Challenge, _bodies),
    st.builds(RevocationSupport, _bits32, st.booleans()),
    _unknown,
)
_extensions = st.lists(extensions, max_size=4).map(tuple)
requests = st.builds(
    RegistrationRequest,
    st.integers(0, 255).map(Flags),
    _bits16,
    addresses,
    addresses,
    addresses,
    _bits64,
    _extensions,
)
replies = st.builds(
    RegistrationReply,
    st.one_of(st.sampled_from(Code), st.integers(0, 255)),
    _bits16,
    addresses,
    addresses,
    _bits64,
    _extensions,
)
revocations = st.builds(
    Revocation,
    addresses,
    addresses,
    addresses,
    _bits32,
    st.booleans(),
    st.booleans(),
    _extensions,
)
acks = st.builds(RevocationAck, addresses, _bits32, st.booleans(), _extensions)
messages: st.SearchStrategy[Message] = st.one_of(requests, replies, revocations, acks)

_preferences = st.integers(-(2**31), 2**31 - 1)
_routers = st.one_of(
    st.lists(st.builds(Router, addresses, _preferences), max_size=4),
    st.lists(st.builds(Router, addresses, _preferences, st.integers(0, 32)), max_size=4),
).map(tuple)
advertisements = st.builds(
    AgentAdvertisement,
    sequence=_bits16,
    flags=st.integers(0, 0xFFE0).map(lambda bits: AgentFlags(bits & 0xFFE0)),
    registration_lifetime_s=_bits16,
    care_of_addresses=st.lists(addresses, max_size=5).map(tuple),
    routers=_routers,
    lifetime_s=_bits16,
    challenge=st.none() | _bodies,
    code=st.sampled_from((COMMON_TRAFFIC, MOBILE_TRAFFIC_ONLY)),
    others=st.lists(_unknown, max_size=2).map(tuple),
)
