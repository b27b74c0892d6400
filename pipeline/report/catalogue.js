// The corpus' objects in the browser: what the address asks for, which objects that selects, and their cards.
"use strict";

globalThis.catalogue = (() => {
  const data = globalThis.catalogueData;
  const count = data.uid.length;
  const middle = Math.floor(count / 2);
  const facets = Object.keys(data.facets).filter((name) => data.facets[name].values.length > 1);
  const texts = data.uid.map((uid, i) => {
    const values = Object.values(data.facets).map(({ values, codes }) => values[codes[i]]);
    return [data.name[i], data.caption[i], data.words[i], uid, ...values].join(" ").toLowerCase();
  });
  const ALIKE = 96; // objects that look like those that match, at most
  let vectors = null;

  // Objects are numbered by PSNR, the best is 0.
  const orders = {
    "": (a, b) => mark(a) - mark(b) || a - b,
    best: (a, b) => a - b,
    worst: (a, b) => b - a,
    median: (a, b) => Math.abs(a - middle) - Math.abs(b - middle) || a - b,
    name: (a, b) => data.name[a].localeCompare(data.name[b]) || a - b,
    score: (a, b) => (data.score[a] ?? 2) - (data.score[b] ?? 2) || a - b,
  };

  function mark(i) {
    return i === 0 ? 0 : i === middle ? 1 : i === count - 1 ? 2 : 3;
  }

  function badge(i) {
    return count > 2 ? ["best", "median", "worst", ""][mark(i)] : "";
  }

  /** What the gallery shows, from the part of an address after #: {q, order, page, alike, like, and facets}. */
  function readState(hash) {
    return hash.includes("=") ? Object.fromEntries(new URLSearchParams(hash.slice(1))) : {};
  }

  function writeState(state) {
    const text = new URLSearchParams(Object.entries(state).filter(([, value]) => value)).toString();
    return text && `#${text}`;
  }

  function needsVectors(state) {
    return data.hasVectors && Boolean(state.like || (state.alike && state.q));
  }

  /** Loads the vectors once; `report` is the report's folder, relative to the page, with a slash at its end. */
  function loadVectors(report) {
    vectors ??= new Promise((loaded, failed) => {
      const script = document.createElement("script");
      script.src = `${report}data/vectors.js`;
      script.onerror = () => failed(new Error(`${script.src} is missing`));
      script.onload = () => {
        const bytes = atob(globalThis.catalogueVectors.data);
        catalogue.vectors = Int8Array.from(bytes, (char) => (char.charCodeAt(0) << 24) >> 24);
        loaded();
      };
      document.head.append(script);
    });
    return vectors;
  }

  /** The objects `rows`, the one that looks most like the objects `examples` first. */
  function byLikeness(rows, examples) {
    const { dim } = globalThis.catalogueVectors;
    const wanted = new Float64Array(dim);
    for (const i of examples) for (let d = 0; d < dim; d += 1) wanted[d] += catalogue.vectors[i * dim + d];
    const likeness = new Map(rows.map((i) => {
      let sum = 0;
      for (let d = 0; d < dim; d += 1) sum += wanted[d] * catalogue.vectors[i * dim + d];
      return [i, sum];
    }));
    return rows.sort((a, b) => likeness.get(b) - likeness.get(a) || a - b);
  }

  /** The objects that a state asks for, in its order; from number `matches` on they only look like the others. */
  function select(state) {
    const chosen = facets.filter((name) => state[name]).map((name) => {
      const { values, codes } = data.facets[name];
      return [codes, values.indexOf(state[name])];
    });
    const allowed = [...data.uid.keys()].filter((i) => chosen.every(([codes, value]) => codes[i] === value));
    const liked = state.like ? data.uid.indexOf(state.like) : -1;
    if (liked >= 0 && catalogue.vectors) return { rows: byLikeness(allowed, [liked]), matches: allowed.length };
    const words = (state.q ?? "").toLowerCase().split(/\s+/).filter(Boolean);
    const rows = allowed.filter((i) => words.every((word) => texts[i].includes(word)));
    rows.sort(orders[state.order ?? ""] ?? orders[""]);
    const matches = rows.length;
    if (state.alike && words.length && matches && catalogue.vectors) {
      const known = new Set(rows);
      rows.push(...byLikeness(allowed.filter((i) => !known.has(i)), rows).slice(0, ALIKE));
    }
    return { rows, matches };
  }

  function href(i, report, state) {
    return `${report}objects/${encodeURIComponent(data.uid[i])}.html${writeState(state)}`;
  }

  function element(tag, className, text = "") {
    return Object.assign(document.createElement(tag), { className, textContent: text });
  }

  /** A link to an object's page, with its thumbnails from the sprites. */
  function card(i, report, state) {
    const link = element("a", "card");
    link.href = href(i, report, state);
    link.dataset.name = data.name[i];
    const { columns, rows } = data.atlas;
    const place = i % (columns * rows);
    const sprite = `${report}sprites/${String(Math.floor(i / (columns * rows))).padStart(5, "0")}.webp`;
    const strip = element("span", "strip");
    strip.setAttribute("role", "img");
    strip.setAttribute("aria-label", "rendered, splat, difference");
    strip.style.backgroundImage = `url("${sprite}"), var(--tiles)`;
    strip.style.backgroundSize = `${100 * columns}% ${100 * rows}%, auto`;
    const x = (place % columns) / (columns - 1);
    const y = Math.floor(place / columns) / (rows - 1);
    strip.style.backgroundPosition = `${100 * x}% ${100 * y}%, 0 0`;
    const words = element("span", "words");
    const name = element("b", "name", data.name[i]);
    if (badge(i)) name.append(" ", element("span", `badge ${badge(i)}`, badge(i)));
    words.append(name, element("span", "psnr", `${data.psnr[i].toFixed(1)} dB`));
    words.append(element("span", "caption", data.caption[i] || "no caption"));
    link.append(strip, words);
    return link;
  }

  return { data, count, facets, vectors: null, readState, writeState, needsVectors, loadVectors, byLikeness, select, href, card };
})();
