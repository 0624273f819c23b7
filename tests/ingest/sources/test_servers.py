"""Real servers on loopback: S3 and WebDAV."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.sources.source import SourceError
from tests.conftest import DOCUMENTS
from tests.ingest.sources.conftest import SyncNow, names, outcome

pytestmark = pytest.mark.slow


def credentials(home: Path, text: str) -> None:
    home.mkdir(exist_ok=True)
    file = home / "sources.toml"
    file.write_text(text)
    file.chmod(0o600)


def test_s3(sync: SyncNow, new_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moto = pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")

    server = moto.ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        login = {"endpoint_url": f"http://{host}:{port}", "region_name": "us-east-1"}
        s3 = pytest.importorskip("boto3").client("s3", aws_access_key_id="a", aws_secret_access_key="b", **login)
        s3.create_bucket(Bucket="company")
        for name, text in DOCUMENTS.items():
            s3.put_object(Bucket="company", Key=f"docs/{name}", Body=text.encode())
        s3.put_object(Bucket="company", Key="other/no.md", Body=b"# No\n\nNot below the address.")
        credentials(new_home, f'["s3://company"]\nkey = "a"\nsecret = "b"\nendpoint_url = "http://{host}:{port}"\n')
        assert outcome(sync("s3://company/docs")) == [("added", name) for name in sorted(DOCUMENTS)]
        assert sync("s3://company/docs") == []
        s3.put_object(Bucket="company", Key="docs/it/vpn.md", Body=b"# VPN\n\nAnother text.")
        s3.delete_object(Bucket="company", Key="docs/handbook/leave.md")
        assert outcome(sync("s3://company/docs")) == [("removed", "handbook/leave.md"), ("replaced", "it/vpn.md")]
        with pytest.raises(SourceError):
            sync("s3://company/nothing", name="empty")
        with pytest.raises(SourceError, match="cannot be read"):
            sync("s3://no-such-bucket/docs", name="none")
    finally:
        server.stop()
    assert len(names(new_home)) == 2


@pytest.fixture
def webdav(documents: Path) -> Iterator[str]:
    """A WebDAV server over the folder of documents, for one user."""
    app = pytest.importorskip("wsgidav.wsgidav_app")
    wsgi = pytest.importorskip("cheroot.wsgi")
    config = {
        "provider_mapping": {"/": str(documents)},
        "simple_dc": {"user_mapping": {"*": {"me": {"password": "word"}}}},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "verbose": 0,
        "logging": {"enable": False},
    }
    server = wsgi.Server(("127.0.0.1", 0), app.WsgiDAVApp(config))
    server.prepare()
    thread = threading.Thread(target=server.serve, daemon=True)
    thread.start()
    yield f"webdav://127.0.0.1:{server.bind_addr[1]}"
    server.stop()
    thread.join()


def test_webdav(webdav: str, documents: Path, sync: SyncNow, new_home: Path) -> None:
    pytest.importorskip("webdav4")
    with pytest.raises(SourceError, match="cannot be read"):
        sync(webdav)  # without the password
    credentials(new_home, f'["{webdav}"]\nusername = "me"\npassword = "word"\n')
    assert outcome(sync(webdav)) == [("added", name) for name in sorted(DOCUMENTS)]
    assert sync(webdav) == []
    (documents / "it/vpn.md").write_text("# VPN\n\nAnother and longer text.")
    (documents / "handbook/leave.md").unlink()
    assert outcome(sync(webdav)) == [("removed", "handbook/leave.md"), ("replaced", "it/vpn.md")]
    (found,) = sync(f"{webdav}/it", name="below")
    assert found.source == f"{webdav}/it/vpn.md"
