// The gallery of index.html: search, filters, order and pages. What it shows is in the address.
"use strict";

{
  const PER_PAGE = 48;
  const LABELS = { license: "licence" };
  const { data, count, facets } = catalogue;
  const byId = (id) => document.getElementById(id);
  const [search, alike, order, cards, pages] = ["search", "alike", "order", "cards", "pages"].map(byId);
  const filters = new Map(facets.map((name) => [name, filter(name)]));
  let state = catalogue.readState(location.hash);
  let last = 0; // number of the last page

  function filter(name) {
    const { values, codes } = data.facets[name];
    const label = LABELS[name] ?? name;
    const counts = new Array(values.length).fill(0);
    for (const code of codes) counts[code] += 1;
    const select = Object.assign(document.createElement("select"), { id: `filter-${name}`, ariaLabel: `Filter by ${label}` });
    select.append(new Option(`any ${label}`, ""));
    values.forEach((value, code) => {
      if (value) select.append(new Option(`${value} (${counts[code].toLocaleString()})`, value));
    });
    select.addEventListener("change", () => change({ [name]: select.value }));
    byId("filters").append(select);
    return select;
  }

  function change(changes) {
    state = { ...state, page: "", like: "", ...changes };
    history.replaceState(null, "", catalogue.writeState(state) || "#objects");
    return show();
  }

  async function show() {
    const asked = state;
    if (catalogue.needsVectors(state)) await catalogue.loadVectors("");
    if (asked !== state) return; // meanwhile something else was asked for
    const { rows, matches } = catalogue.select(state);
    last = Math.max(Math.ceil(rows.length / PER_PAGE), 1);
    const page = Math.min(Math.max(Number(state.page) || 1, 1), last);
    const start = (page - 1) * PER_PAGE;
    const shown = rows.slice(start, start + PER_PAGE);
    cards.replaceChildren(...shown.map((i, n) => {
      const card = catalogue.card(i, "", { ...state, page: "" });
      card.classList.toggle("similar", start + n >= matches);
      return card;
    }));
    const more = rows.length - matches;
    const liked = state.like ? ` by likeness to ${data.name[data.uid.indexOf(state.like)] ?? state.like}` : "";
    byId("shown").textContent = `${matches.toLocaleString()} of ${count.toLocaleString()}${liked}${more ? `, ${more} look like them` : ""}`;
    byId("nothing").hidden = rows.length > 0;
    pages.hidden = last === 1;
    byId("page").textContent = `page ${page} of ${last}`;
    byId("previous").disabled = page === 1;
    byId("next").disabled = page === last;
  }

  function fillIn() {
    search.value = state.q ?? "";
    alike.checked = Boolean(state.alike);
    order.value = state.order ?? "";
    for (const [name, select] of filters) select.value = state[name] ?? "";
  }

  function turn(by) {
    const page = Math.min(Math.max(Number(state.page) || 1, 1), last) + by;
    if (page < 1 || page > last) return;
    change({ like: state.like, page: page > 1 ? String(page) : "" });
    byId("tools").scrollIntoView();
  }

  byId("tools").hidden = false;
  byId("alike-label").hidden = !data.hasVectors;
  if (data.score.some((score) => score !== null)) order.append(new Option("caption fits worst first", "score"));
  search.addEventListener("input", () => change({ q: search.value }));
  alike.addEventListener("change", () => change({ alike: alike.checked ? "1" : "" }));
  order.addEventListener("change", () => change({ order: order.value }));
  byId("previous").addEventListener("click", () => turn(-1));
  byId("next").addEventListener("click", () => turn(1));
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select")) return;
    if (event.key === "ArrowLeft") turn(-1);
    if (event.key === "ArrowRight") turn(1);
    if (event.key === "/") {
      event.preventDefault();
      search.focus();
    }
  });
  addEventListener("hashchange", () => {
    if (location.hash && !location.hash.includes("=")) return; // a section of the page
    state = catalogue.readState(location.hash);
    fillIn();
    show();
  });
  fillIn();
  show();
  if (location.hash.includes("=")) byId("objects").scrollIntoView();
}
