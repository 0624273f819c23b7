"""A server that speaks the protocol of the Hugging Face hub, for one model: its files, their digests, ranges."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

REVISION = "0123456789abcdef0123456789abcdef01234567"


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Hub:
    """files: path -> content. sent: what is sent instead of a file. ranges: the Range headers that came."""

    id: str
    files: dict[str, bytes]
    license: str | None = "apache-2.0"
    sent: dict[str, bytes] = field(default_factory=dict)
    without_digest: bool = False
    asked: list[str] = field(default_factory=list)
    ranges: list[str] = field(default_factory=list)

    @classmethod
    def of_folder(cls, hub_id: str, folder: Path) -> Hub:
        paths = [path for path in folder.rglob("*") if path.is_file()]
        return cls(hub_id, {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/models/{org}/{name}", self._info),
                Route("/api/models/{org}/{name}/revision/{revision}", self._info),
                Route("/{org}/{name}/resolve/{revision}/{path:path}", self._file, methods=["GET", "HEAD"]),
            ]
        )

    def _info(self, request: Request) -> Response:
        if f"{request.path_params['org']}/{request.path_params['name']}" != self.id:
            return JSONResponse({"error": "Repository not found"}, 404, {"X-Error-Code": "RepoNotFound"})
        siblings = [self._sibling(path, content) for path, content in self.files.items()]
        card = {"license": self.license} if self.license else {}
        return JSONResponse({"id": self.id, "sha": REVISION, "siblings": siblings, "cardData": card})

    def _sibling(self, path: str, content: bytes) -> dict[str, Any]:
        row: dict[str, Any] = {"rfilename": path, "size": len(content)}
        if self.without_digest:
            return row
        if path.endswith(".safetensors"):
            row["lfs"] = {"sha256": _sha256(content), "size": len(content), "pointerSize": 134}
        return row | {"blobId": _git_sha1(content)}

    def _file(self, request: Request) -> Response:
        path = request.path_params["path"]
        self.asked.append(path)
        content = self.sent.get(path, self.files[path])
        headers = {
            "ETag": f'"{_sha256(self.files[path])}"',
            "X-Repo-Commit": REVISION,
            "Accept-Ranges": "bytes",
        }
        if request.method == "HEAD":
            return Response(headers=headers | {"Content-Length": str(len(self.files[path]))})
        if found := re.fullmatch(r"bytes=(\d+)-", request.headers.get("range", "")):
            self.ranges.append(found[0])
            start = int(found[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return Response(content[start:], 206, headers=headers)
        return Response(content, headers=headers)
