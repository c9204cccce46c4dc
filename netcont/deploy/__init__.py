"""Tunnels and extensions on real gateways: one file for both ends, each side takes its half.

file (TOML -> Deployment), rules (what cannot be), half (Deployment -> Plan), standing (Plan against
the kernel), refusals (what this kernel cannot do), record (what stands, on disk), engine (up, down,
recover), watch (reverting unless confirmed).
"""
