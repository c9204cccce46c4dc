"""Mininet topologies of netcont: import them in Mininet scripts, or give them to mn --custom."""
