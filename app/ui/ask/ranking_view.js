// Draws both lists and a curve from each passage's old place to its new one.
export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".ranking");
  const make = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text; // text only: titles come from documents
    if (text !== undefined) element.dir = "auto"; // Arabic and Hebrew run from right to left
    return element;
  };
  const list = (heading, className, rows) => {
    const section = make("section", className);
    section.append(make("h3", "", heading));
    const items = make("ol");
    rows.forEach((row, index) => {
      const item = make("li", row.used ? "used" : "");
      if (index && row.rank > rows[index - 1].rank + 1) item.classList.add("gap");
      item.dataset.id = row.id;
      const title = make("a", "title", `${row.rank}. `);
      title.href = `source?${new URLSearchParams({ chunk: row.id, a: data.answer_id })}`;
      title.target = "_blank"; // the ranking stays open beside it
      if (className === "before") title.textContent = `${row.rank}`;
      title.append(make("span", "", className === "before" ? `. ${row.title}` : row.title));
      title.title = row.title + (row.heading ? ` > ${row.heading}` : "");
      const heading = make("span", "detail", row.heading);
      const detail = make("span", "detail");
      if (className === "after" && data.reranked && row.moved) {
        const change = row.change > 0 ? ["up", `▲ ${row.moved}`] : row.change < 0 ? ["down", `▼ ${row.moved}`] : ["", `= ${row.moved}`];
        detail.append(make("span", change[0], change[1]), " · ");
      }
      detail.append(row.detail, row.used && className === "after" ? ` · ${data.in_answer}` : "");
      const line = make("button", "line", row.line); // a button, so that keys and taps reach the whole text
      const text = make("div", "text", row.text);
      text.id = `${className}-${row.id}`;
      text.setAttribute("role", "tooltip");
      line.setAttribute("aria-describedby", text.id);
      line.onclick = () => line.focus(); // Safari gives a tapped button no focus
      line.onkeydown = (event) => {
        if (event.key !== "Escape" || line.classList.contains("closed")) return;
        event.stopPropagation(); // closes the text, not the drawer
        line.classList.add("closed");
      };
      line.onblur = line.onmouseleave = () => line.classList.remove("closed");
      // One text at a time: the pointer takes it from the keyboard, and the other way round.
      line.onmouseenter = () => root.querySelectorAll(".line:focus").forEach((other) => other !== line && other.blur());
      line.onfocus = () => root.querySelectorAll(".line:hover").forEach((other) => other !== line && other.classList.add("closed"));
      item.append(title, heading, line, text, detail);
      items.append(item);
    });
    section.append(items);
    return section;
  };
  const lists = make("div", "lists");
  lists.append(list(data.headings[0], "before", data.before), make("div"), list(data.headings[1], "after", data.after));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  root.replaceChildren(lists, svg);
  const draw = () => {
    const box = root.getBoundingClientRect();
    const place = (side, id) => root.querySelector(`.${side} li[data-id="${id}"]`).getBoundingClientRect();
    svg.replaceChildren(
      ...data.after.map((row) => {
        const from = place("before", row.id), to = place("after", row.id);
        const [x1, y1] = [from.right - box.left + 2, from.top + from.height / 2 - box.top];
        const [x2, y2] = [to.left - box.left - 2, to.top + to.height / 2 - box.top];
        const bend = (x2 - x1) / 2;
        const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
        path.setAttribute("d", `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}`);
        path.setAttribute("class", `${row.change > 0 ? "up" : row.change < 0 ? "down" : ""} ${row.used ? "used" : ""}`);
        return path;
      }),
    );
  };
  const observer = new ResizeObserver(draw);
  observer.observe(root);
  draw();
  return () => observer.disconnect();
}
