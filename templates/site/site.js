"use strict";
// Search, filters, copying, and the address of this site, which only the browser knows. All else works without this.

const root = new URL(document.documentElement.dataset.root || "./", document.baseURI).href;

function showAddress() {
  for (const place of document.querySelectorAll("[data-address]")) place.textContent = root;
  for (const place of document.querySelectorAll("[data-plain]")) place.hidden = true;
}

// --- Copy ---

async function copy(button) {
  const source = document.getElementById(button.dataset.copy);
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = button.dataset.copied;
  } catch {
    // Not possible over plain http: select it, so that one key copies it.
    getSelection().selectAllChildren(source);
    button.textContent = document.execCommand("copy") ? button.dataset.copied : button.dataset.failed;
  }
  setTimeout(() => { button.textContent = label; }, 2000);
}

function prepareCopying() {
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", () => copy(button));
  }
}

// --- The client that was chosen last ---

function rememberClient() {
  const inputs = [...document.querySelectorAll("input[name=client]")];
  try {
    const last = inputs.find((input) => input.value === localStorage.getItem("mkindex-client"));
    if (last) last.checked = true;
    for (const input of inputs) {
      input.addEventListener("change", () => localStorage.setItem("mkindex-client", input.value));
    }
  } catch {
    // Storage is not allowed: the first client is chosen on each page.
  }
}

// --- Variants ---

function prepareVariants() {
  for (const select of document.querySelectorAll("[data-variant]")) {
    select.closest("[hidden]").hidden = false;
    select.addEventListener("change", () => {
      for (const place of document.querySelectorAll("[data-index]")) place.textContent = select.value;
    });
  }
}

// --- Filters of files ---

function prepareFilters(area) {
  const selects = [...area.querySelectorAll("[data-filter]")];
  const rows = [...area.querySelectorAll("tbody tr")];
  const note = area.querySelector("[data-empty]");
  function fits(row, select) {
    return select.value === "" || row.dataset[select.dataset.filter].split("|").includes(select.value);
  }
  function filter() {
    for (const row of rows) row.hidden = !selects.every((select) => fits(row, select));
    for (const release of area.querySelectorAll(".release")) {
      release.hidden = !release.querySelector("tbody tr:not([hidden])");
    }
    note.textContent = rows.every((row) => row.hidden) ? note.dataset.empty : "";
  }
  for (const box of area.querySelectorAll(".filters")) box.hidden = false;
  for (const select of selects) select.addEventListener("change", filter);
}

// --- Search ---

const SHOWN = 50;
const normal = (text) => text.toLowerCase().replace(/[-_.]+/g, "-");

const search = {
  rows: [],  // name, spelling, version, date, summary, other words
  summaries: [],  // as they are compared
  others: [],
  area: document.querySelector(".search"),
  found: document.getElementById("found"),
  loading: null,

  load() {
    this.loading ||= Promise.all(this.area.dataset.scripts.split(" ").map((path) => new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = root + path;
      script.onload = resolve;
      script.onerror = reject;
      document.head.append(script);
    })));
    return this.loading;
  },

  // How well a project matches: smaller is better; -1: not at all.
  rank(number, words) {
    const [name] = this.rows[number];
    let rank = 0;
    for (const word of words) {
      const place = name.indexOf(word);
      if (name === word) continue;
      if (place === 0) rank += 1 + (name.length - word.length) / 100;
      else if (place > 0) rank += name[place - 1] === "-" ? 3 : 4;
      else if (this.others[number].includes(word)) rank += 5;
      else if (this.summaries[number].includes(word)) rank += 6;
      else return -1;
    }
    return rank;
  },

  matches(query) {
    const words = normal(query).split(/\s+/).filter(Boolean);
    // Rank and number of each project as one number, because numbers are sorted ten times as fast as pairs.
    const found = new Float64Array(this.rows.length);
    let count = 0;
    for (let number = 0; number < this.rows.length; number += 1) {
      const rank = this.rank(number, words);
      if (rank >= 0) found[count++] = Math.round(rank * 100) * 1e7 + number;
    }
    return Array.from(found.subarray(0, count).sort(), (one) => this.rows[one % 1e7]);
  },

  item([name, shown, version, date, summary]) {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.className = "name";
    link.href = `${root}project/${name}/index.html`;
    link.textContent = shown;
    const label = document.createElement("span");
    label.className = "version";
    label.textContent = version;
    const time = document.createElement("time");
    time.textContent = date;
    const text = document.createElement("p");
    text.dir = "auto";
    text.textContent = summary;
    item.append(link, " ", label, " ", time, text);
    return item;
  },

  async answer(query) {
    const results = document.getElementById("results");
    const all = document.getElementById("all");
    if (!results) return;
    if (query.trim() === "") {
      results.hidden = true;
      all.hidden = false;
      this.found.textContent = "";
      return;
    }
    const { none, one, many, first, error } = this.area.dataset;
    try {
      await this.load();
    } catch {
      this.found.textContent = error;
      return;
    }
    if (query !== document.getElementById("search").value) return;
    const rows = this.matches(query);
    results.replaceChildren(...rows.slice(0, SHOWN).map((row) => this.item(row)));
    results.hidden = false;
    all.hidden = true;
    const text = rows.length === 0 ? none : rows.length === 1 ? one : rows.length > SHOWN ? first : many;
    this.found.textContent = text.replace("{n}", rows.length.toLocaleString(document.documentElement.lang))
      .replace("{shown}", String(SHOWN));
  },

  prepare() {
    const input = document.getElementById("search");
    this.area.hidden = false;
    input.addEventListener("focus", () => this.load().catch(() => {}), { once: true });
    input.addEventListener("input", () => this.answer(input.value));
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && input.value !== "") {
        input.value = "";
        this.answer("");
        event.preventDefault();
      }
      const best = document.querySelector("#results:not([hidden]) a");
      if (event.key === "Enter" && best) best.click();
      if (event.key === "ArrowDown" && best) { best.focus(); event.preventDefault(); }
    });
    document.addEventListener("keydown", (event) => {
      const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
      if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
        event.preventDefault();
        input.focus();
      }
    });
    if (location.hash === "#search") input.focus();
    if (input.value) this.answer(input.value);
  },
};

// Called by the scripts with the data.
function mkindexProjects(rows) {
  for (const row of rows) {
    const [, , version, , summary, others] = row;
    search.rows.push(row);
    search.summaries.push(normal(summary));
    search.others.push(normal(`${others} ${version}`));
  }
}

showAddress();
prepareCopying();
rememberClient();
prepareVariants();
for (const area of document.querySelectorAll(".filterable")) prepareFilters(area);
if (search.area) {
  search.prepare();
} else {
  // On other pages, "/" leads to the search.
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      location.href = `${root}index.html#search`;
    }
  });
}
