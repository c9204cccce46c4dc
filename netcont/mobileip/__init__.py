"""Mobile IP (RFC 5944) without I/O: bytes, time and random numbers come in, values go out."""
