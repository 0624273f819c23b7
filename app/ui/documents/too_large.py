"""What the uploader cannot do: name files over the limit beside good ones, and offer only files that can be read."""

from __future__ import annotations

import streamlit as st

from app.translation import gettext as _
from app.translation import number
from app.ui import markup

_MOST_NAMED = 20

_watcher = st.components.v2.component(
    "citeloop_uploads",
    html="<i hidden></i>",
    js="""export default ({ data, setStateValue }) => {
        const inUploader = event => event.target.closest?.(`.st-key-${data.uploader}`);
        const look = files => setStateValue("large", [...files].filter(f => f.size > data.limit).map(f => f.name));
        const offer = () => {  // in the picker alone: what is dropped is refused by name
            const input = document.querySelector(`.st-key-${data.uploader} input[type=file]`);
            if (input) input.accept = data.accept;
        };
        const acts = {
            click: event => inUploader(event) && offer(),
            drop: event => inUploader(event) && look(event.dataTransfer.files),
            change: event => inUploader(event) && look(event.target.files),
        };
        for (const act in acts) addEventListener(act, acts[act], true);
        return () => { for (const act in acts) removeEventListener(act, acts[act], true); };
    }""",
)


def show_too_large(uploader: str, limit_mb: int, suffixes: list[str]) -> None:
    """Name the files of the last drop that are over the limit; let the file picker offer these suffixes.

    uploader: its key. Streamlit names a refused file only until the uploader is emptied; here it stays until the next
    drop.
    """
    data = {"uploader": uploader, "limit": limit_mb << 20, "accept": ",".join(suffixes)}
    found = _watcher(key="uploads-watched", data=data, default={"large": []}, on_large_change=lambda: None)
    if names := [str(name) for name in found.large]:
        more = ["…"] if len(names) > _MOST_NAMED else []
        words = _(
            "Not added, since larger than {limit} MB: {names}. Split them and add the parts.",
            limit=number(limit_mb),
            names=", ".join([*names[:_MOST_NAMED], *more]),
        )
        st.error(markup.plain(words))
