"""TSIG keys (RFC 8945) from files, in the forms that BIND and Knot write.

- BIND, `tsig-keygen`: ``key "name" { algorithm hmac-sha256; secret "…"; };``
- Knot, `keymgr -t`: YAML with ``key:``, ``- id:``, ``algorithm:``, ``secret:``
- one line ``algorithm:name:secret``, as `nsupdate -y` and `knsupdate -y` take it; without the
  algorithm it is hmac-sha256

No message shows a secret, nor a line of a key file.
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import stat
from pathlib import Path

import dns.exception
import dns.name

from netcont.errors import ConfigurationError
from netcont.model.plan import TsigKey

DEFAULT_ALGORITHM = "hmac-sha256"
ALGORITHMS = (
    "hmac-md5",
    "hmac-sha1",
    "hmac-sha224",
    "hmac-sha256",
    "hmac-sha256-128",
    "hmac-sha384",
    "hmac-sha384-192",
    "hmac-sha512",
    "hmac-sha512-256",
)
"""RFC 8945 §6, without GSS-TSIG, which needs Kerberos instead of a file."""

_MD5_ON_THE_WIRE = "hmac-md5.sig-alg.reg.int"
_LIMIT_BYTES = 64 * 1024
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_FORMS = "give a file as tsig-keygen or keymgr writes it, or with one line algorithm:name:secret"

_BIND_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*|#[^\n]*", re.DOTALL)
_BIND_KEY = re.compile(r'\bkey\s+(?:"([^"]+)"|([^\s{"]+))\s*\{([^}]*)\}', re.DOTALL)
_BIND_FIELD = re.compile(r'\b(algorithm|secret)\s+"?([^\s";]+)"?\s*;')
_YAML_FIELD = re.compile(
    r"""^\s*(-\s+)?(id|algorithm|secret):\s*["']?([^\s"'#]+)["']?\s*(?:#.*)?$"""
)
_LINE = re.compile(r"(?:([A-Za-z0-9.-]+):)?([^:\s]+):([A-Za-z0-9+/=]+)")


def load_key(given: str) -> TsigKey:
    """The key in the file that was given, which only its owner may read or write.

    Raises ConfigurationError for a secret instead of a file, a file that others can read or that
    is missing, and what holds no key or several.
    """
    path = Path(given)
    if _LINE.fullmatch(given) and not path.exists():
        raise ConfigurationError(
            "--key was given a secret, and every user of this host can read command lines",
            remedy="write it into a file with mode 0600 and give the file; take a new secret",
        )
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if mode & _OTHERS:
                raise ConfigurationError(
                    f"the key file {given} has mode {mode:04o}: others than its owner have access",
                    remedy=f"chmod 600 {given}; if others can have read it, make a new key",
                )
            content = file.read(_LIMIT_BYTES)
    except OSError as error:
        raise ConfigurationError(
            f"the key file {given} cannot be read: {error.strerror}", remedy=_FORMS
        ) from error
    return parse_key(content.decode(errors="replace"), given)


def parse_key(text: str, origin: str) -> TsigKey:
    """The one key in text; origin: where it is from, for messages. Raises ConfigurationError."""
    found = _bind_keys(text) or _yaml_keys(text) or _lines(text)
    if not found:
        raise ConfigurationError(f"{origin} holds no TSIG key", remedy=_FORMS)
    if len(found) > 1:
        names = ", ".join(name for name, _, _ in found)
        raise ConfigurationError(
            f"{origin} holds {len(found)} keys: {names}", remedy="keep one key in each file"
        )
    return _checked(*found[0], origin)


def _bind_keys(text: str) -> list[tuple[str, str, str]]:
    found = []
    for quoted, bare, body in _BIND_KEY.findall(_BIND_COMMENT.sub(" ", text)):
        fields = dict(_BIND_FIELD.findall(body))
        algorithm = fields.get("algorithm", DEFAULT_ALGORITHM)
        found.append((quoted or bare, algorithm, fields.get("secret", "")))
    return found


def _yaml_keys(text: str) -> list[tuple[str, str, str]]:
    """The entries of Knot's section key:; a new one begins at each dash."""
    entries: list[dict[str, str]] = []
    for line in text.splitlines():
        match = _YAML_FIELD.match(line)
        if match is None:
            continue
        if match[1] or not entries:
            entries.append({})
        entries[-1][match[2]] = match[3]
    return [
        (entry["id"], entry.get("algorithm", DEFAULT_ALGORITHM), entry.get("secret", ""))
        for entry in entries
        if "id" in entry
    ]


def _lines(text: str) -> list[tuple[str, str, str]]:
    matches = [
        _LINE.fullmatch(line.strip())
        for line in text.splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]
    return [(m[2], m[1] or DEFAULT_ALGORITHM, m[3]) for m in matches if m]


def _checked(name: str, algorithm: str, secret: str, origin: str) -> TsigKey:
    algorithm = algorithm.lower().rstrip(".")
    if algorithm == _MD5_ON_THE_WIRE:
        algorithm = "hmac-md5"
    if algorithm not in ALGORITHMS:
        raise ConfigurationError(
            f"{origin}: key {name}: the algorithm {algorithm} is unknown",
            remedy=f"use one of {', '.join(ALGORITHMS)}",
        )
    try:
        dns.name.from_text(name)
    except dns.exception.DNSException as error:
        raise ConfigurationError(
            f"{origin}: {name!r} is no name of a key: {error}",
            remedy="a key is named like a domain: letters, digits, hyphens, dots",
        ) from error
    try:
        whole = bool(base64.b64decode(secret, validate=True))
    except binascii.Error:
        whole = False
    if not whole:
        raise ConfigurationError(
            f"{origin}: key {name}: the secret is missing or is no Base64 (it is not shown here)",
            remedy=f"copy it whole, or make a new one: tsig-keygen -a {algorithm} {name}",
        )
    return TsigKey(name, algorithm, secret)
