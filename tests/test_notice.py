from __future__ import annotations

from tests.notice import NOTICE, ROOT, licenses


def test_the_notice_is_true_of_what_is_installed() -> None:
    """Packages that only other platforms install may stand in it, too; what is not pinned differs between them."""
    written = dict(line.split(": ", 1) for line in NOTICE.read_text().split("make notice\n")[1].strip().splitlines())
    pinned = {line.partition("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    found = {name: license for name, license in licenses().items() if name in pinned}
    assert len(found) > 100
    assert {name: written.get(name) for name in found} == found


def test_no_license_forbids_use_by_companies() -> None:
    assert [name for name, license in licenses().items() if "not named" in license or "Affero" in license] == []
