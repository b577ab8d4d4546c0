// The curves, which plotly draws where its file lies beside the reports, and the chips that choose what is shown.
"use strict";
(() => {
  const { data, element, css, drawings, redraw } = page;
  const CELLS_AT_ONCE = 12; // shown at first; of more, the best of each tokenizer
  const STROKES = { solid: "", dash: "6 3", dot: "2 2", dashdot: "6 2 2 2" }; // plotly's dashes in SVG
  const plain = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const faint = (colour) => colour.replace("rgb(", "rgba(").replace(")", ", 0.16)");

  // --- plotly ---

  const narrow = () => innerWidth < 640;
  const axis = (title, more = {}) => ({
    title: { text: plain(title), standoff: 8, font: { size: narrow() ? 11 : 13 } },
    gridcolor: css("--rule"), linecolor: css("--rule"), zeroline: false, automargin: true, ...more,
  });
  const si = { exponentformat: "SI", separatethousands: true };
  const xAxis = (name, more = {}) =>
    axis(data.axes[name], { tickformat: name === "steps" ? "," : "~s", nticks: narrow() ? 5 : 10, ...more });
  // A logarithmic axis of round figures alone: plotly's own minor ones would cover each other.
  const logarithmic = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    if (!(low > 0) || high / low < 2) return { type: "log" };
    const leading = high / low > 1e4 ? [1] : high / low > 4 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9];
    const powers = Array.from({ length: 60 }, (_, i) => 10 ** (i - 30));
    const tickvals = powers.flatMap((power) => leading.map((digit) => digit * power)).filter((tick) => tick > low / 100 && tick < high * 100);
    return { type: "log", tickmode: "array", tickvals };
  };
  const layout = (more) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
    font: { family: getComputedStyle(document.body).fontFamily, size: narrow() ? 11 : 13, color: css("--ink") },
    hoverlabel: { bgcolor: css("--panel"), bordercolor: css("--rule"), font: { color: css("--ink") }, align: "left" },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: css("--soft"), activecolor: css("--ink") },
    ...more,
  });
  const config = (name) => ({
    showSendToCloud: false, plotlyServerURL: "", // nothing leaves the page
    responsive: true, displaylogo: false, displayModeBar: narrow() ? false : "hover", modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
    toImageButtonOptions: { format: "svg", filename: name },
  });
  const written = (value, digits = 4) =>
    value >= 1000 ? Number(value.toPrecision(4)).toLocaleString("en") : String(Number(value.toPrecision(digits)));

  // All but the last point hollow: only the end of a schedule is to be compared.
  const points = (n, colour, size) => ({
    size, line: { color: colour, width: 1.5 }, color: Array.from({ length: n }, (_, i) => (i < n - 1 ? css("--paper") : colour)),
  });

  const hover = (curve, measure, title, range) => {
    const steps = curve.x.steps;
    return steps.map((step, i) => {
      const value = curve.y[measure][i];
      const lines = [`<b>${plain(title)}</b>`, `${value === null ? "" : written(value)} ${plain(data.measures[measure].short)}`];
      if (range) lines.push(`${written(range.low[measure][i])} to ${written(range.high[measure][i])} over ${range.seeds} seeds`);
      lines.push(
        `step ${written(step)}, ${curve.percent[i]} % of its schedule`,
        `${written(curve.x.bytes[i])} bytes, ${curve.x.FLOPs[i].toExponential(2)} FLOPs, ${written(curve.x.seconds[i])} s`,
      );
      return lines.join("<br>");
    });
  };

  const cellTraces = (cell, x, measure, each) => {
    const colour = css(cell.colour);
    const line = (curve, title, range) => ({
      type: "scatter", mode: "lines+markers", x: curve.x[x], y: curve.y[measure], name: plain(title),
      line: { color: colour, width: 1.8, dash: cell.dash },
      marker: { ...points(curve.x[x].length, colour, curve.x[x].length > 40 ? 4 : 6), symbol: cell.symbol },
      text: hover(curve, measure, title, range), hovertemplate: "%{text}<extra></extra>",
    });
    const drawn = cell.mean && !each ? [cell.mean] : cell.runs;
    const known = drawn.filter((curve) => measure in curve.y);
    if (!cell.mean || each) return known.map((curve) => line(curve, curve.label));
    return known.flatMap((mean) => {
      const edge = (values, fill) => ({
        type: "scatter", mode: "lines", x: mean.x[x], y: values, line: { width: 0 }, hoverinfo: "skip", fill, fillcolor: faint(colour),
      });
      return [
        edge(mean.low[measure], "none"), edge(mean.high[measure], "tonexty"),
        line(mean, cell.name, { ...mean, seeds: cell.seeds }),
      ];
    });
  };

  // --- one part of the page: the runs that were scored on the same bytes ---

  const curves = (section, part, shown) => {
    const chart = section.querySelector(".chart");
    const form = section.querySelector("form");
    const draw = () => {
      const { x, y: measure, seeds } = Object.fromEntries(new FormData(form));
      const each = seeds === "each";
      const cells = part.cells.filter((cell) => shown.has(cell.name));
      const traces = cells.flatMap((cell) => cellTraces(cell, x, measure, each));
      const lines = measure === "val_bpb" ? part.baselines : [];
      const values = [...traces.flatMap((trace) => trace.y), ...lines.map((baseline) => baseline.bpb)].filter((v) => v !== null);
      const [low, high] = [Math.min(...values), Math.max(...values)];
      const space = (high - low || Math.abs(high) || 1) * 0.05;
      const scale = form.elements.log.checked ? logarithmic(traces.flatMap((trace) => trace.x)) : { rangemode: "tozero" };
      Plotly.react(chart, traces, layout({
        margin: { l: 60, r: 16, t: 12, b: 52 },
        xaxis: xAxis(x, scale),
        yaxis: axis(data.measures[measure].title, { ...si, ...(values.length ? { range: [low - space, high + space] } : {}) }),
        shapes: lines.map((baseline) => ({
          type: "line", xref: "paper", x0: 0, x1: 1, y0: baseline.bpb, y1: baseline.bpb, layer: "below",
          line: { color: css("--soft"), width: 1, dash: "dot" },
          label: { text: plain(`${baseline.name} ${baseline.bpb.toFixed(3)}`), textposition: "end", yanchor: "bottom", font: { size: 11, color: css("--soft") } },
        })),
        uirevision: `${x} ${measure} ${form.elements.log.checked} ${[...shown].join()}`,
      }), config("curves"));
    };
    form.addEventListener("change", draw);
    form.addEventListener("submit", (event) => event.preventDefault());
    draw();
    return draw;
  };

  const atFirst = (cells) => {
    return (cells.length > CELLS_AT_ONCE ? cells.filter((cell) => cell.best_of_arm) : cells).slice(0, CELLS_AT_ONCE);
  };

  const chips = (box, part, shown, changed) => {
    const line = (cell) => {
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      svg.setAttribute("width", 24);
      svg.setAttribute("height", 8);
      path.setAttribute("d", "M0 4H24");
      path.setAttribute("stroke-width", 3);
      path.setAttribute("stroke-dasharray", STROKES[cell.dash]);
      path.style.stroke = `var(${cell.colour})`;
      svg.append(path);
      return svg;
    };
    const made = part.cells.map((cell) => {
      const input = element("input", { type: "checkbox", checked: shown.has(cell.name) });
      input.addEventListener("change", () => {
        shown[input.checked ? "add" : "delete"](cell.name);
        changed();
      });
      return { cell, input, label: element("label", {}, input, line(cell), cell.name) };
    });
    const choose = (title, wanted) => {
      const press = element("button", { type: "button" }, title);
      press.addEventListener("click", () => {
        shown.clear();
        made.forEach(({ cell, input, label }) => {
          input.checked = !label.hidden && wanted(cell);
          if (input.checked) shown.add(cell.name);
        });
        changed();
      });
      return press;
    };
    const tools = [choose("all", () => true), choose("none", () => false)];
    if (made.length > CELLS_AT_ONCE) {
      const search = element("input", { type: "search", placeholder: "find runs" });
      search.addEventListener("input", () => {
        for (const { cell, label } of made) {
          label.hidden = !cell.name.toLowerCase().includes(search.value.toLowerCase());
          label.style.display = label.hidden ? "none" : "";
        }
      });
      tools.unshift(search);
      tools.push(choose("best of each tokenizer", (cell) => atFirst(part.cells).includes(cell)));
    }
    if (made.length > 1) box.append(...tools);
    box.append(...made.map(({ label }) => label));
  };

  // Plotly is loaded after the page; where it is not there, the pictures stay that the curves would replace.
  addEventListener("DOMContentLoaded", () => {
    if (window.Plotly) document.documentElement.classList.add("charts");
    document.querySelectorAll("article[data-part]").forEach((article) => {
      const part = data.parts[article.dataset.part];
      const shown = new Set(atFirst(part.cells).map((cell) => cell.name));
      const draw = window.Plotly ? curves(article.querySelector(".curves"), part, shown) : () => {};
      drawings.push(draw);
      const texts = article.querySelector(".samples");
      const write = texts ? page.texts.samples(texts, part, shown) : () => {};
      chips(article.querySelector(".chips"), part, shown, () => { draw(); write(); });
    });
  });
  let wide = narrow();
  addEventListener("resize", () => {
    if (wide !== narrow()) redraw();
    wide = narrow();
  });
})();
