from __future__ import annotations

from pathlib import Path

import pytest

from app.access.audit import AuditLog
from ingest import CiteloopError


@pytest.mark.parametrize("url", ["mysql://ann:secret@db/made", "secret", "postgresql://ann:secret@db"])
def test_another_kind_of_address_is_refused_without_showing_it(
    url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CITELOOP_DATABASE_URL", url)
    with pytest.raises(CiteloopError, match="must be like postgresql://USER:PASSWORD@HOST/DATABASE") as raised:
        AuditLog(home)
    assert "secret" not in str(raised.value)
