"""Middleware that takes files only from pages that show an uploader.

Streamlit keeps uploaded files in memory, and takes them from everybody who connects, even before a login.
"""

from __future__ import annotations

import re

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from streamlit.runtime.scriptrunner import get_script_run_ctx

_UPLOAD = re.compile(r"/_stcore/upload_file/(?P<session>[^/]+)/")

_sessions: set[str] = set()
"""Sessions of pages that showed an uploader."""


def allow_uploads() -> None:
    """Accept files from this session from now on; called by a page that shows an uploader."""
    if context := get_script_run_ctx():
        _sessions.add(context.session_id)


class UploadsWhereOffered:
    """Refuses an upload whose session was shown no uploader, before its body is read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        upload = _UPLOAD.search(scope["path"]) if scope["type"] == "http" and scope["method"] == "PUT" else None
        if upload and upload["session"] not in _sessions:
            message = "expected an upload from a page that offers one; open Documents again"
            await JSONResponse({"error": {"message": message}}, 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)
