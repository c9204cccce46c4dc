from __future__ import annotations

import pytest

from netcont.errors import NetcontError
from netcont.mobileip.codes import Code
from netcont.mobileip.errors import Blame, MessageError, malformed, unbuildable


def test_errors_say_whose_fault_it_is() -> None:
    assert malformed("odd").blame is Blame.REMOTE
    assert unbuildable("odd").blame is Blame.LOCAL
    assert isinstance(malformed("odd"), NetcontError)
    assert str(malformed("odd")) == "odd"


@pytest.mark.parametrize(
    ("code", "foreign", "poorly_formed"),
    [
        (None, None, False),
        (Code.HA_POORLY_FORMED_REQUEST, Code.FA_POORLY_FORMED_REQUEST, True),
        (Code.FA_POORLY_FORMED_REPLY, Code.FA_POORLY_FORMED_REPLY, False),
    ],
)
def test_each_agent_finds_its_own_code(
    code: Code | None, foreign: Code | None, poorly_formed: bool
) -> None:
    error = MessageError("odd", blame=Blame.REMOTE, code=code)
    assert (error.code, error.foreign_code, error.poorly_formed) == (code, foreign, poorly_formed)
