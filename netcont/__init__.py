"""Network-layer continuity for servers that move across a wide-area network."""

__version__ = "0.1.0"
