"""DNS moved safely: keys, authoritative servers, updates with prerequisites, agreement.

``netcont.kernel.nameserver`` applies one ready-made change in the lab. This is for real zones,
where the primary, the other servers, the old value and the old TTL must be found out first.
"""
