"use strict";
// Draws charts, filters tiles while one types, and renews a page when the store has anything new.

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const SERIES = [1, 2, 3, 4, 5].map((n) => `--series-${n}`);
const PAPER_PX = 690;
const DAY_MS = 86400000;
const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross"];

function traceOf(given, index) {
  const ink = colour(SERIES[index % SERIES.length]);
  const trace = {
    type: "scatter", name: given.name, x: given.x, y: given.y, text: given.text,
    mode: given.lines ? (given.x.length > 120 ? "lines" : "lines+markers") : given.named ? "markers+text" : "markers",
    line: { color: ink, width: 2 },
    marker: { color: ink, size: given.named ? 11 : 7, symbol: SYMBOLS[index % SYMBOLS.length] },
    textposition: "top center", textfont: { size: 12 }, cliponaxis: false,
    hovertemplate: "%{x}<br>%{y:.4g}<br>%{hovertext}<extra>%{fullData.name}</extra>", hovertext: given.text,
  };
  if (given.named) trace.text = given.short;
  if (!given.text) trace.hovertemplate = "%{x}: %{y:.4g}<extra></extra>";
  if (given.above && given.above.some((each) => each !== null)) {
    trace.error_y = { type: "data", symmetric: false, array: given.above.map((each) => each ?? 0),
      arrayminus: given.below.map((each) => each ?? 0), thickness: 1.2, width: 3, color: ink };
  }
  return trace;
}

function layoutOf(figure) {
  const axis = (title) => ({ title: { text: title, standoff: 8 }, gridcolor: colour("--line"), linecolor: colour("--soft"),
    zeroline: false, automargin: true });
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", hovermode: "closest",
    font: { color: colour("--ink"), family: getComputedStyle(document.body).fontFamily, size: 13 },
    margin: { l: 56, r: 16, t: 26, b: 48 }, xaxis: axis(figure.x), yaxis: axis(figure.y),
    showlegend: figure.traces.length > 1, legend: { orientation: "h", y: 1.14, x: 0 }, shapes: [], annotations: [],
    hoverlabel: { bgcolor: colour("--card"), font: { color: colour("--ink") } },
  };
  // A picture keeps its width on paper: what is wider than A4 would be cut off, the newest first.
  if (document.documentElement.dataset.print) layout.width = PAPER_PX;
  if (figure.traces.some((each) => typeof each.x[0] === "string")) { // times: names of months would be English
    layout.xaxis.tickformatstops = [{ dtickrange: [null, DAY_MS - 1], value: "%m-%d %H:%M" },
      { dtickrange: [DAY_MS, "M1"], value: "%Y-%m-%d" }, { dtickrange: ["M1", null], value: "%Y-%m" }];
  }
  if (figure.traces.some((each) => each.named)) { // room for the names beside the outermost points
    const all = figure.traces.flatMap((each) => each.x);
    const low = Math.min(...all), high = Math.max(...all), room = 0.18 * (high - low || high || 1);
    layout.xaxis.range = [Math.max(0, low - room), high + room];
  }
  if (figure.limit !== null) {
    layout.shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: figure.limit, y1: figure.limit,
      line: { color: colour("--fail"), width: 1.5, dash: "dash" } });
    layout.annotations.push({ xref: "paper", x: 1, xanchor: "right", y: figure.limit, yanchor: "bottom", showarrow: false,
      text: `${figure.limit_word} ${figure.limit}`, font: { color: colour("--fail"), size: 12 } });
  }
  for (const [when, word] of figure.marks) {
    layout.shapes.push({ type: "line", yref: "paper", y0: 0, y1: 1, x0: when, x1: when,
      line: { color: colour("--soft"), width: 1.5, dash: "dot" } });
    layout.annotations.push({ yref: "paper", y: 1, yanchor: "top", x: when, xanchor: "left", showarrow: false,
      text: `▼ ${word}`, font: { color: colour("--soft"), size: 12 }, bgcolor: colour("--paper"), borderpad: 1 });
  }
  return layout;
}

function draw() {
  if (typeof Plotly === "undefined") return;
  for (const chart of document.querySelectorAll(".chart")) {
    const figure = JSON.parse(chart.querySelector("script").textContent);
    // Names come from people; Plotly would take a few tags in them for its own.
    const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
    figure.traces.forEach((each) => {
      each.name = plain(each.name);
      if (each.named) each.short = each.text.map((name) => plain(name.length > 30 ? `${name.slice(0, 29)}…` : name));
      if (each.text) each.text = each.text.map(plain);
    });
    Plotly.react(chart.querySelector(".plot"), figure.traces.map(traceOf), layoutOf(figure),
      { displayModeBar: false, responsive: true });
  }
}

// A picture that was given a width keeps it otherwise.
function forget() {
  if (typeof Plotly === "undefined") return;
  document.querySelectorAll(".plot").forEach((each) => Plotly.purge(each));
}

function filterTiles() {
  const field = document.querySelector("[data-search]");
  if (!field) return;
  const words = field.value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const tile of document.querySelectorAll(".tile")) {
    const fits = words.every((word) => tile.dataset.words.includes(word));
    tile.hidden = !fits;
    found += fits;
  }
  const told = document.querySelector("[data-found]");
  if (told) told.textContent = told.dataset.found.replace("{0}", found);
}

const isBusy = () => {
  const active = document.activeElement;
  const typing = active && active.matches("input, select, textarea");
  return typing || document.querySelector("details[open]:not(.more)") !== null || document.hidden;
};

// Lists that were opened stay open in a page that is renewed.
const folds = (root) => [...root.querySelectorAll("details.more")];
function keepFolds(fresh) {
  const open = new Map(folds(document).map((each) => [each.dataset.keep, each.open]));
  folds(fresh).forEach((each) => { each.open = open.get(each.dataset.keep) ?? each.open; });
}

async function renew() {
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!answer.ok || isBusy()) return answer.ok;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  if (!fresh) return false;
  keepFolds(fresh);
  document.querySelector("main").replaceChildren(...fresh.childNodes);
  draw();
  filterTiles();
  return true;
}

function live(seconds) {
  let known = null;
  const always = document.body.dataset.always === "1"; // what MLflow alone knows has no state to ask for
  const look = async () => {
    const told = document.getElementById("live");
    try {
      if (!document.hidden && !isBusy()) {
        const answer = await fetch("/state");
        if (!answer.ok) throw new Error(answer.status);
        const state = await answer.text();
        if ((known !== null && state !== known) || always) await renew();
        known = state;
        told.textContent = "";
      }
    } catch {
      told.textContent = document.body.dataset.changed;
    }
    setTimeout(look, seconds * 1000);
  };
  setTimeout(look, seconds * 1000);
}

document.addEventListener("DOMContentLoaded", () => {
  draw();
  const field = document.querySelector("[data-search]");
  if (field) field.addEventListener("input", filterTiles);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  // Paper is white: pictures are drawn anew for it.
  let unfolded = []; // paper can't be clicked
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.print = "1";
    unfolded = folds(document).filter((each) => !each.open);
    unfolded.forEach((each) => { each.open = true; });
    draw();
  });
  addEventListener("afterprint", () => {
    delete document.documentElement.dataset.print;
    unfolded.forEach((each) => { each.open = false; });
    forget();
    draw();
  });
  const seconds = Number(document.body.dataset.live);
  if (seconds > 0) live(seconds);
});
