"""Styles that the theme cannot express, for all pages."""

from __future__ import annotations

import json

from app.translation import gettext as _

CAPTION_OPACITY = 0.85
"""Streamlit's 0.6 is too faint to read: 4.5:1 of contrast is the least."""

STYLE = f"""
[data-testid='stCaptionContainer'] {{ opacity: {CAPTION_OPACITY} !important; }}
[data-testid='stMarkdownContainer'] table {{ display: block; overflow-x: auto; }}
[data-testid='stMarkdownContainer'] :is(p, li, h1, h2, h3, h4, h5, h6, td, th):not(button *) {{
  unicode-bidi: plaintext; text-align: start; }}
[data-testid='stMarkdownContainer'] :is(ul, ol):dir(rtl) {{ padding-inline-start: 1.5rem; }}
[data-testid='stMainBlockContainer'] {{ padding-top: 4.5rem; }}
[data-testid='stButtonGroup'] button[data-selected] {{ color: inherit !important; }}
button[kind='tertiary']:is(:hover, :active, [aria-expanded='true']):enabled {{
  color: inherit !important; text-decoration: underline; }}
:is(a, [role='radio']):focus-visible {{ outline: 2px solid currentColor !important; outline-offset: -2px; }}
:is([class*='st-key-conversation-'], [class*='st-key-example-']) :is(button, button div, button div > span) {{
  justify-content: flex-start; text-align: left; }}
[class*='st-key-citations-'] {{ position: absolute; }}
:is([data-testid='stFileUploaderDropzoneInstructions'], [data-testid='stHeaderActionElements']) {{ display: none; }}
.st-key-heading {{ position: absolute; clip-path: inset(50%); }}
[data-testid='stMainBlockContainer'] :is(a, button, summary, input, [tabindex]) {{ scroll-margin: 4rem 0 12rem; }}
[role='dialog'] > button[aria-label] {{ min-width: 2.5rem; min-height: 2.5rem; }}
@media (hover: none) {{ [data-testid='stDataFrame'] {{ margin-top: 2.75rem; }} }}
@media (max-width: 640px) {{
  [data-testid='stChatMessageAvatarCustom'] {{ display: none; }}
  .st-key-feedback-view [data-testid='stButtonGroup'] [role] {{ flex-wrap: nowrap; overflow-x: auto; }}
  .st-key-feedback-view button {{ flex: none; }}
}}
@media (max-height: 480px) {{ [data-testid='stBottomBlockContainer'] {{ padding-bottom: 1rem; }} }}
@media (max-height: 360px) {{
  [data-testid='stMainBlockContainer'] :is(a, button, summary, input, [tabindex]) {{ scroll-margin-bottom: 0; }}
  [data-testid='stBottom'] {{ position: static; }}
}}
:is(.st-key-language, .st-key-sidebar-closer), :has(> :is(.st-key-language, .st-key-sidebar-closer)) {{
  display: none !important; }}
"""
"""On a phone, wide tables and the views of Feedback scroll inside the page, and an icon would take its room; the
padding clears the top bar; Arabic and Hebrew lines run from right to left; scripts take no room; a chosen option and a
button that is pointed at have the contrast of text; links and views show the focus; of an uploader, the words that
Streamlit has in English only are hidden, and the link of a heading, a stop for the keyboard that nobody needs; the
page's first heading is for those who do not see it; neither the top bar nor the question box covers what has the focus,
and on a low screen or at a large zoom the question box does not cover the answer; the button that closes a dialog can
be tapped; where nothing can hover, the tools of a table always show and need room."""


FOLLOW_DIRECTION = """
const follow = () => document.querySelectorAll("[data-testid='stMarkdownContainer'] :is(ul, ol, table):not([dir])")
  .forEach((each) => { each.dir = "auto"; });
if (!window.followsDirection) {
  window.followsDirection = new MutationObserver(follow);
  window.followsDirection.observe(document.body, { childList: true, subtree: true });
}
follow();
"""
"""Script that puts marks of lists and first columns of tables on the right where their words run from there."""

ENTER_POPOVER = """
if (!window.entersPopover) {
  window.entersPopover = ({ target, detail }) => {
    const button = target.closest("[data-testid='stPopoverButton']");
    if (!button || detail) return;  // a pointer
    let looks = 0;
    const enter = () => {
      const body = document.querySelector("[data-testid='stPopoverBody']");
      if (button.ariaExpanded !== "true" || !body) return looks++ < 20 && setTimeout(enter, 50);
      body.tabIndex = -1;
      body.focus();
    };
    enter();
  };
  addEventListener("click", window.entersPopover);
}
"""
"""Script that moves the focus into a popover opened with a key: Streamlit puts it at the end of the page."""


def skip_link_words() -> str:
    """Return the script that words the first stop of the keyboard in the reader's language."""
    words = json.dumps(_("Skip to main content"))
    return f"for (const link of document.querySelectorAll(\"a[href='#stMain']\")) link.firstChild.data = {words};"


def upload_words() -> str:
    """Return the style that puts the reader's word on the button of an uploader; in English, Streamlit's own stays."""
    word, place = _("Browse"), "[data-testid='stFileUploaderDropzone'] button p"
    if word == "Browse":
        return ""
    return f"{place} {{ font-size: 0 !important; }} {place}::after {{ content: '{word}'; font-size: 0.875rem; }}"
