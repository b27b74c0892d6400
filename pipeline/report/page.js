"use strict";

const cardsBox = document.getElementById("cards");

if (cardsBox) {
  const cards = [...cardsBox.children];
  const search = document.getElementById("search");
  const order = document.getElementById("order");
  const shown = document.getElementById("shown");
  const nothing = document.getElementById("nothing");
  const dialog = document.getElementById("detail");
  const body = document.getElementById("detail-body");
  const marks = { best: 0, median: 1, worst: 2, "": 3 };
  const place = (card) => Number(card.dataset.place);
  const middle = cards.map(place).sort((a, b) => a - b)[Math.floor(cards.length / 2)];
  const orders = {
    marks: (a, b) => marks[a.dataset.badge] - marks[b.dataset.badge] || place(a) - place(b),
    best: (a, b) => place(a) - place(b),
    worst: (a, b) => place(b) - place(a),
    median: (a, b) => Math.abs(place(a) - middle) - Math.abs(place(b) - middle),
    name: (a, b) => a.dataset.name.localeCompare(b.dataset.name),
  };
  const visible = () => [...cardsBox.children].filter((card) => !card.hidden);
  let open = null;

  function arrange() {
    cardsBox.append(...cards.sort(orders[order.value]));
  }

  function filter() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const card of cards) card.hidden = !words.every((word) => card.dataset.text.includes(word));
    const count = visible().length;
    shown.textContent = `${count} of ${cards.length}`;
    nothing.hidden = count > 0;
  }

  function show(card) {
    open = card;
    const title = card.querySelector("h3").cloneNode(true);
    title.id = "detail-name";
    const columns = document.createElement("p");
    columns.className = "columns";
    for (const word of ["rendered", "splat", "difference"]) {
      columns.append(Object.assign(document.createElement("span"), { textContent: word }));
    }
    const picture = document.createElement("div");
    picture.className = "sheet";
    picture.append(card.querySelector("img").cloneNode());
    const left = document.createElement("div");
    left.append(columns, picture);
    const sides = document.createElement("div");
    sides.className = "sides";
    sides.append(left, card.querySelector(".facts").cloneNode(true));
    body.replaceChildren(title, card.querySelector(".caption").cloneNode(true), card.querySelector(".turn").cloneNode(true), sides);
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
  }

  function step(by) {
    const list = visible();
    const next = list[list.indexOf(open) + by];
    if (next) show(next);
  }

  document.querySelector(".tools").hidden = false;
  search.addEventListener("input", filter);
  order.addEventListener("change", arrange);
  cardsBox.addEventListener("click", (event) => {
    const sheet = event.target.closest(".sheet");
    if (sheet) show(sheet.closest(".card"));
  });
  document.getElementById("previous").addEventListener("click", () => step(-1));
  document.getElementById("next").addEventListener("click", () => step(1));
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close(); // outside of the box
  });
  dialog.addEventListener("close", () => {
    if (open) open.querySelector(".sheet").focus();
  });
  arrange();
  filter();
}
