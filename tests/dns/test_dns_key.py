"""TSIG keys in every form that BIND's and Knot's tools write; and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from dns_servers import keymgr, run

from netcont.dns.key import load_key, parse_key
from netcont.errors import ConfigurationError
from netcont.model.plan import TsigKey

SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cyE="
KEY = TsigKey("mover", "hmac-sha256", SECRET)


def key_file(directory: Path, text: str, mode: int = 0o600) -> str:
    path = directory / "the.key"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            f'key "mover" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n', id="BIND"
        ),
        pytest.param(f"key mover {{ algorithm hmac-sha256; secret {SECRET}; }};", id="no quotes"),
        pytest.param(
            f'# a key\nkey "mover" {{ // for moves\n algorithm "HMAC-SHA256."; /* new */\n'
            f' secret "{SECRET}"; }};',
            id="comments",
        ),
        pytest.param(f"hmac-sha256:mover:{SECRET}\n", id="one line"),
        pytest.param(f"mover:{SECRET}\n", id="one line without algorithm"),
        pytest.param(f"# made today\n\nhmac-sha256:mover:{SECRET}", id="one line and a comment"),
        pytest.param(
            f"key:\n  - id: mover\n    algorithm: hmac-sha256\n    secret: {SECRET}\n", id="Knot"
        ),
        pytest.param(
            f'key:\n- secret: "{SECRET}"\n  id: "mover"  # ours\n  algorithm: hmac-sha256\n',
            id="Knot in another order",
        ),
    ],
)
def test_every_form_is_understood(tmp_path: Path, text: str) -> None:
    assert load_key(key_file(tmp_path, text)) == KEY


@pytest.mark.parametrize("algorithm", ["hmac-sha1", "hmac-sha256", "hmac-sha512", "hmac-md5"])
def test_what_tsig_keygen_writes_is_understood(algorithm: str) -> None:
    text = run("tsig-keygen", "-a", algorithm, "move.example.org")
    key = parse_key(text, "file")
    assert (key.name, key.algorithm) == ("move.example.org", algorithm)
    assert key.secret in text


def test_what_keymgr_writes_is_understood() -> None:
    text = keymgr("-t", "mover", "hmac-sha384")
    key = parse_key(text, "file")
    assert (key.name, key.algorithm) == ("mover", "hmac-sha384")
    assert f"secret: {key.secret}\n" in text


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o666])
def test_a_file_that_others_have_access_to_is_refused(tmp_path: Path, mode: int) -> None:
    path = key_file(tmp_path, f"mover:{SECRET}", mode)
    with pytest.raises(ConfigurationError) as caught:
        load_key(path)
    assert f"{path} has mode {mode:04o}" in caught.value.message
    assert f"chmod 600 {path}" in caught.value.remedy


def test_a_file_that_its_owner_may_only_read_is_accepted(tmp_path: Path) -> None:
    assert load_key(key_file(tmp_path, f"mover:{SECRET}", 0o400)) == KEY


def test_a_secret_on_the_command_line_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="every user of this host") as caught:
        load_key(f"hmac-sha256:mover:{SECRET}")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no TSIG key"),
        (f"the secret is {SECRET}", "holds no TSIG key"),
        (f"hmac-sha257:mover:{SECRET}", "the algorithm hmac-sha257 is unknown"),
        ('key "mover" { algorithm hmac-sha256; };', "the secret is missing or is no Base64"),
        ("hmac-sha256:mover:c2VjcmV", "the secret is missing or is no Base64"),
        (f"mover:{SECRET}\nother:{SECRET}", "holds 2 keys: mover, other"),
        (f"a..b:{SECRET}", "'a..b' is no name of a key"),
    ],
)
def test_what_is_no_key_is_refused_without_showing_it(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_key(key_file(tmp_path, text))
    assert said in caught.value.message
    assert caught.value.remedy
    assert SECRET not in str(caught.value)


def test_a_key_does_not_show_its_secret() -> None:
    assert SECRET not in repr(KEY)
