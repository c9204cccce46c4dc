"""What goes into a sealed lab: the same bytes for the same sources."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from netcont.lab.sealed import Archive, _compiled

SOURCES = [importlib.util.find_spec(name).origin for name in ("json.decoder", "enum", "ast")]  # type: ignore[union-attr]
UNCHECKED_HASH = 0b01
"""PEP 552: the source is neither looked at nor compared."""


def test_modules_are_compiled_to_the_same_bytes_every_time() -> None:
    assert list(_compiled(SOURCES)) == list(_compiled(SOURCES))


def test_a_compiled_module_never_asks_for_its_source() -> None:
    for path, body in _compiled(SOURCES):
        assert path.endswith(".pyc")
        assert body[:4] == importlib.util.MAGIC_NUMBER
        assert int.from_bytes(body[4:8], "little") == UNCHECKED_HASH


def test_what_another_version_wrote_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "old.py").write_text('print "what was right once"\n')
    assert list(_compiled([str(tmp_path / "old.py")])) == []


def test_an_archive_has_every_directory_and_link_on_the_way(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.mkdir()
    (real / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("real")
    archive = Archive()
    archive.copy(str(tmp_path / "link" / "file"))
    archive.copy(str(tmp_path / "link" / "file"))
    body = archive.finish()
    assert body.count(b"content") == 1
    assert body.count(f"{tmp_path}/link\0".lstrip("/").encode()) == 1
    assert body.count(f"{tmp_path}/real/file\0".lstrip("/").encode()) == 1
    assert body.index(f"{real}\0".lstrip("/").encode()) < body.index(b"/real/file\0")
