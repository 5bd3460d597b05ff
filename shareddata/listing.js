
"use strict";
const filter = document.getElementById("filter");
const empty = document.getElementById("empty");
const rows = [...document.querySelectorAll("tbody tr:not(.up)")];
const two = n => String(n).padStart(2, "0");

for (const time of document.querySelectorAll("time")) {
  const t = new Date(time.dateTime);
  time.textContent = t.getFullYear() + "-" + two(t.getMonth() + 1) + "-" + two(t.getDate()) +
    " " + two(t.getHours()) + ":" + two(t.getMinutes());
}

if (rows.length > 1) {
  filter.hidden = false;
  const names = rows.map(row => row.querySelector("span").textContent.toLowerCase());
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row, i) => { shown += !(row.hidden = !names[i].includes(wanted)); });
    empty.hidden = shown > 0;
  });
}

document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = document.activeElement === filter;
  const links = () => [...document.querySelectorAll("tbody tr:not([hidden]) a")];
  const move = step => {
    const all = links();
    if (!all.length) return;
    const at = all.indexOf(document.activeElement);
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
    all[next].focus();
    event.preventDefault();
  };
  if (event.key === "ArrowDown" || event.key === "j" && !typing) move(1);
  else if (event.key === "ArrowUp" || event.key === "k" && !typing) move(-1);
  else if (event.key === "/" && !typing && !filter.hidden) { filter.focus(); event.preventDefault(); }
  else if (event.key === "Escape" && typing) { filter.value = ""; filter.dispatchEvent(new Event("input")); filter.blur(); }
  else if (event.key === "Enter" && typing) links().find(link => !link.closest(".up"))?.click();
});
