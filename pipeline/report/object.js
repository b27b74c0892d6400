// An object's page as a part of the gallery: the way back, the objects before and after it, and those that look alike.
"use strict";

{
  const NEIGHBOURS = 6;
  const { uid, report: folder } = document.getElementById("this-object").dataset;
  const report = `${folder}/`;
  const { data } = catalogue;
  const own = data.uid.indexOf(uid);
  const state = catalogue.readState(location.hash);
  const byId = (id) => document.getElementById(id);

  async function start() {
    byId("all").href = `${report}index.html${catalogue.writeState(state) || "#objects"}`;
    if (data.hasVectors) await catalogue.loadVectors(report);
    const { rows } = catalogue.select(state);
    const place = rows.indexOf(own);
    if (place >= 0) {
      link(byId("previous"), rows[place - 1]);
      link(byId("next"), rows[place + 1]);
      byId("place").textContent = `${(place + 1).toLocaleString()} of ${rows.length.toLocaleString()}`;
      byId("along").hidden = false;
    }
    if (data.hasVectors && own >= 0 && catalogue.count > 1) showNeighbours();
  }

  function link(element, i) {
    if (i !== undefined) element.href = catalogue.href(i, report, state);
  }

  function showNeighbours() {
    const others = [...data.uid.keys()].filter((i) => i !== own);
    const nearest = catalogue.byLikeness(others, [own]).slice(0, NEIGHBOURS);
    byId("cards").replaceChildren(...nearest.map((i) => catalogue.card(i, report, { like: uid })));
    byId("alike").hidden = false;
  }

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const id = { ArrowLeft: "previous", ArrowRight: "next", Escape: "all" }[event.key];
    if (id && byId(id).href) location.assign(byId(id).href);
  });
  start();
}
