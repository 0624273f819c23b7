// Shows a passage beside the link to its card, for each link on the page whose address is in data.passages.
export default function ({ data, parentElement }) {
  const box = parentElement.querySelector(".passage");
  const isTouch = matchMedia("(hover: none)").matches;
  let shown = null, closing = 0;
  const close = () => {
    box.hidden = true;
    shown?.removeAttribute("aria-description");
    shown = null;
  };
  const closeSoon = () => { closing = setTimeout(close, 200); }; // time to move into the box
  const link = (event) => event.target.closest?.("a[href^='#']");
  const open = (event) => {
    const mark = link(event), passage = mark && data.passages[mark.getAttribute("href")];
    if (!passage) return;
    clearTimeout(closing);
    const make = (tag, text) => Object.assign(document.createElement(tag), { textContent: text, dir: "auto" }); // never HTML
    box.replaceChildren(make("strong", passage.place), make("p", passage.text));
    box.hidden = false;
    shown = mark;
    mark.setAttribute("aria-description", passage.text);
    const { left, top, bottom } = mark.getBoundingClientRect(), below = innerHeight - bottom;
    box.style.left = `${Math.max(8, Math.min(left, innerWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${below > box.offsetHeight + 8 || below > top ? bottom + 4 : Math.max(8, top - box.offsetHeight - 4)}px`;
  };
  const click = (event) => {
    const mark = link(event), href = mark?.getAttribute("href");
    if (isTouch && data.passages[href] && mark !== shown) {
      event.preventDefault(); // the first tap shows the passage, the second goes to its card
      open(event);
      return;
    }
    if (!event.composedPath().includes(box)) close();
    if (data.passages[href] && !document.getElementById(href.slice(1))) // its card is folded
      document.querySelector(`.st-key-sources-${href.slice(1).split("-s")[0]} summary`)?.click();
  };
  const leave = (event) => { if (link(event) === shown && shown) closeSoon(); };
  const key = (event) => { if (event.key === "Escape") close(); };
  const listeners = isTouch
    ? { click, scroll: close, keydown: key }
    : { mouseover: open, mouseout: leave, focusin: open, focusout: leave, click, scroll: close, keydown: key };
  for (const [name, act] of Object.entries(listeners)) document.addEventListener(name, act, name === "scroll");
  box.onmouseenter = () => clearTimeout(closing);
  box.onmouseleave = closeSoon;
  return () => {
    for (const [name, act] of Object.entries(listeners)) document.removeEventListener(name, act, name === "scroll");
  };
}
