"""DNS moved safely: keys, authoritative servers, updates with prerequisites, agreement.

In real zones the primary, the other servers, the old value and the old TTL must be found out first
(`move`, `prepare`); in the lab they are known, and the update is all there is (`zone_update`).
"""
