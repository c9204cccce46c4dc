"""Mobile IP (RFC 5944) without I/O: bytes, time and random numbers come in, values go out.

On the wire: `messages` and `revocation` (UDP port 434), their `extensions`, `discovery` (ICMP),
the `codes` of replies. Trust: `authentication` says who sent a message, `replay` with `ntp` that
it is fresh. What follows no RFC raises MessageError (`errors`), which says whose fault it is.
"""
