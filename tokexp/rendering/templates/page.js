// What every part of the page uses (element, dot, css, data), and what needs no library: theme, sections, tables.
"use strict";
const page = (() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;

  const element = (tag, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const dot = (colour) => {
    const made = element("i", { className: "dot" });
    made.style.setProperty("--c", `var(${colour})`);
    return made;
  };

  // --- theme ---

  const probe = document.body.appendChild(element("i", { hidden: true }));
  const css = (name) => {
    probe.style.color = `var(${name})`;
    return getComputedStyle(probe).color;
  };
  const system = matchMedia("(prefers-color-scheme: dark)");
  const dark = () => (root.dataset.theme ? root.dataset.theme === "dark" : system.matches);
  const drawings = []; // functions that draw again
  const redraw = () => drawings.forEach((draw) => draw());
  const button = document.getElementById("theme");
  const named = () => (button.textContent = dark() ? "light" : "dark");
  button.addEventListener("click", () => {
    root.dataset.theme = dark() ? "light" : "dark";
    try {
      localStorage.setItem("tokexp-theme", root.dataset.theme);
    } catch { /* pages opened from files may have no storage */ }
    named();
    redraw();
  });
  system.addEventListener("change", () => { named(); redraw(); });
  named();

  // --- sections: the menu is folded on a phone, a link unfolds what it leads to, paper shows everything ---

  const menu = document.querySelector(".menu");
  const wide = matchMedia("(min-width: 64rem)");
  const fold = () => (menu.open = wide.matches);
  wide.addEventListener("change", fold);
  fold();
  const links = new Map([...menu.querySelectorAll("a")].map((link) => [link.hash.slice(1), link]));
  const unfold = (id) => {
    const folded = document.getElementById(id)?.closest("details");
    if (folded) folded.open = true;
  };
  menu.addEventListener("click", (event) => {
    if (!event.target.hash) return;
    unfold(event.target.hash.slice(1));
    if (!wide.matches) menu.open = false;
  });
  const here = new IntersectionObserver((entries) => {
    for (const entry of entries) entry.target.dataset.here = entry.isIntersecting;
    const first = document.querySelector("main section[data-here=true]");
    for (const [id, link] of links) {
      if (first?.id === id || first?.querySelector(`:scope > details > [id="${id}"]`)) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-20% 0px -75% 0px" });
  document.querySelectorAll("main section").forEach((section) => here.observe(section));

  let folded = [];
  addEventListener("beforeprint", () => {
    folded = [...document.querySelectorAll("main details:not([open])")];
    folded.forEach((details) => (details.open = true));
  });
  addEventListener("afterprint", () => folded.forEach((details) => (details.open = false)));

  for (const command of document.querySelectorAll(".command")) {
    const press = element("button", { type: "button" }, "copy");
    press.addEventListener("click", async () => {
      getSelection().selectAllChildren(command.querySelector("code")); // what is left to do where the next is refused
      await navigator.clipboard.writeText(command.querySelector("code").textContent);
      press.textContent = "copied";
    });
    command.append(press);
  }

  // --- tables ---

  // A figure is sorted by the number that stands behind it, text as text; what is empty comes last either way.
  const key = (field) => (field.classList.contains("n") ? Number(field.dataset.n ?? NaN) : field.textContent);
  const empty = (value) => (typeof value === "number" ? Number.isNaN(value) : value === "");
  const inOrder = (a, b) => (typeof a === "number" ? a - b : a.localeCompare(b, "en", { numeric: true }));

  const sortable = (table) => {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const press = element("button", { type: "button" }, ...head.childNodes);
      head.append(press);
      press.addEventListener("click", () => {
        const next = { ascending: "descending", descending: null }[head.getAttribute("aria-sort")];
        const way = next === undefined ? "ascending" : next;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        if (way) head.setAttribute("aria-sort", way);
        const sorted = way === null ? rows : [...rows].sort((one, other) => {
          const [a, b] = [key(one.cells[column]), key(other.cells[column])];
          if (empty(a) || empty(b)) return empty(a) - empty(b);
          return way === "ascending" ? inOrder(a, b) : inOrder(b, a);
        });
        body.append(...sorted);
      });
    });
  };
  const filterable = (table) => {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 6 || table.closest(".whole")) return;
    const input = element("input", { type: "search", placeholder: "filter rows" });
    input.setAttribute("aria-label", "filter rows");
    const count = element("span");
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      for (const row of rows) row.hidden = !wanted.every((word) => row.textContent.toLowerCase().includes(word));
      const left = rows.filter((row) => !row.hidden).length;
      count.textContent = wanted.length ? `${left} of ${rows.length}` : "";
    });
    table.parentElement.before(element("div", { className: "filter" }, input, count));
  };
  for (const table of document.querySelectorAll("table.data")) {
    sortable(table);
    filterable(table);
  }

  return { data, element, dot, css, drawings, redraw };
})();
