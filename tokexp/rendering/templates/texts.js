// Texts in their pieces: the bits of a piece of the passage, and the samples.
"use strict";
page.texts = (() => {
  const { element, dot } = page;

  // Where a pointer or the focus is on a piece, its bits stand above the table. Arrow keys go from piece to piece.
  const passage = (table) => {
    const told = table.closest(".content").querySelector(".told");
    const tell = (event) => {
      const piece = event.target.closest("b[title]");
      if (piece) told.textContent = `${piece.closest("tr").cells[0].textContent}: ${JSON.stringify(piece.textContent)}, ${piece.title}`;
    };
    for (const kind of ["pointerover", "focusin", "click"]) table.addEventListener(kind, tell);
    for (const pieces of table.querySelectorAll(".pieces")) pieces.querySelector("b[title]")?.setAttribute("tabindex", 0);
    table.addEventListener("keydown", (event) => {
      const way = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[event.key];
      const next = way && event.target[way];
      if (!next) return;
      event.preventDefault();
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  };
  for (const told of document.querySelectorAll(".told")) passage(told.closest(".content").querySelector(".cuts"));

  // A text in the spans that Python cut, with the classes that are wanted.
  const spans = (text, classes, pieces, marks) => {
    let at = 0;
    return text.lengths.map((length, i) => {
      const [piece, mark] = classes[text.kinds[i]];
      return [text.text.slice(at, (at += length)), [pieces && piece, marks && mark].filter(Boolean)];
    });
  };

  // Draws the samples of the runs whose cells are in `shown`, now and whenever the form changes; how to draw again.
  const samples = (section, part, shown) => {
    const form = section.querySelector("form");
    const box = section.querySelector(".shown");
    part.samples.draws.forEach((title, i) => form.elements.draw.append(element("option", { value: i }, title)));
    const draw = () => {
      const cards = part.samples.runs.filter((run) => shown.has(run.cell) && run.texts[form.elements.draw.value]).map((run) => {
        const text = run.texts[form.elements.draw.value];
        const shownText = element("pre");
        for (const [span, names] of spans(text, part.samples.classes, form.elements.pieces.checked, form.elements.marks.checked)) {
          shownText.append(names.length ? element("b", { className: names.join(" ") }, span) : span);
        }
        const head = element("summary", {}, dot(run.colour), element("strong", {}, run.label), ` ${text.caption}`);
        if (text.pieces) head.append(`, ${text.pieces.toLocaleString("en")} pieces`);
        return element("details", { className: "card", open: true }, head, shownText);
      });
      box.replaceChildren(element("div", { className: "cards" }, ...cards));
    };
    form.addEventListener("change", draw);
    form.addEventListener("submit", (event) => event.preventDefault());
    draw();
    return draw;
  };
  return { samples };
})();
