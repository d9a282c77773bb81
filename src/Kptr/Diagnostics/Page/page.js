"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const main = document.getElementById("main");
  const nav = document.getElementById("nav");
  const ROW = 30; // pixels of a table's row, as the style sheet has it
  const GRAPH_MAX = 40;
  const TIMES_MAX = 300;
  const collator = new Intl.Collator("en", { numeric: true });

  // Elements are made of text, never of markup: names come from programs and may be anything.
  function el(tag, attributes, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else if (value !== null && value !== undefined) made.setAttribute(name, value);
    }
    made.append(...children.filter(c => c !== null && c !== undefined));
    return made;
  }

  function svg(tag, attributes, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
      else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  function section(id, title, ...children) {
    nav.append(el("a", { href: "#" + id }, title));
    const made = el("section", { id }, el("h2", {}, title), ...children);
    main.append(made);
    return made;
  }

  const number = value => value.toLocaleString("en");
  const bytes = value => number(value) + (value === 1 ? " byte" : " bytes");

  function time(ns) {
    for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["us", 1e3]]) {
      if (ns >= size) return (ns / size).toFixed(ns / size < 10 ? 2 : 1) + " " + unit;
    }
    return ns + " ns";
  }

  // A table of any number of rows: only those in sight are in the document.
  function table(columns, rows) {
    let shown = rows, sorted = null, descending = false;
    const layout = columns.map(c => c.number ? `${c.rem}rem` : `minmax(0, ${c.rem}fr)`).join(" ");
    const body = el("div", { class: "rows", role: "rowgroup" });
    const view = el("div", { class: "window", role: "presentation" }, body);
    const heads = columns.map(c => el("div", { role: "columnheader", "aria-sort": "none" },
      el("button", { type: "button", onclick: () => sort(c) }, c.title)));
    const grid = el("div", { class: "grid", role: "table", tabindex: "0", "aria-rowcount": rows.length },
      el("div", { class: "head", role: "rowgroup" }, el("div", { role: "row" }, ...heads)), view);
    grid.style.setProperty("--columns", layout);
    grid.style.setProperty("--least", columns.reduce((sum, c) => sum + c.rem, 0) + "rem");
    const count = el("span", { class: "count", "aria-live": "polite" });
    const input = el("input", {
      type: "search", placeholder: "Filter: words that a row must have", "aria-label": "Filter", oninput: filter,
    });

    function sort(column) {
      descending = sorted === column ? !descending : false;
      sorted = column;
      heads.forEach((h, i) => h.setAttribute(
        "aria-sort", columns[i] !== sorted ? "none" : descending ? "descending" : "ascending"));
      order();
      draw();
    }

    function order() {
      if (!sorted) return;
      const sign = descending ? -1 : 1;
      shown = [...shown].sort((a, b) => {
        const x = sorted.value(a), y = sorted.value(b);
        return sign * (typeof x === "number" ? x - y : collator.compare(x, y));
      });
    }

    function filter() {
      const words = input.value.toLowerCase().split(/\s+/).filter(w => w);
      shown = rows.filter(row => words.every(w => (row.text ||= columns.map(c => c.value(row)).join("\n").toLowerCase())
        .includes(w)));
      order();
      grid.scrollTop = 0;
      draw();
    }

    function draw() {
      const first = Math.max(0, Math.floor(grid.scrollTop / ROW) - 5);
      const last = Math.min(shown.length, first + Math.ceil((grid.clientHeight || 600) / ROW) + 12);
      view.style.height = shown.length * ROW + "px";
      body.style.transform = `translateY(${first * ROW}px)`;
      body.replaceChildren(...shown.slice(first, last).map((row, i) => el(
        "div", { class: "row", role: "row", "aria-rowindex": first + i + 2 },
        ...columns.map(c => {
          const text = c.text ? c.text(row) : String(c.value(row));
          return el("div", { role: "cell", class: c.number ? "number" : null, title: text }, text);
        }))));
      count.textContent = shown.length === rows.length ? number(rows.length) + " rows"
        : number(shown.length) + " of " + number(rows.length) + " rows";
    }

    grid.addEventListener("scroll", () => requestAnimationFrame(draw));
    new ResizeObserver(draw).observe(grid);
    draw();
    return {
      element: el("div", {}, el("div", { class: "tools" }, input, count), grid),
      show(text) { input.value = text; filter(); },
    };
  }

  function bars(rows) {
    const most = Math.max(1, ...rows.map(r => r[1]));
    return el("div", { class: "bars" }, ...rows.flatMap(([name, value]) => {
      const bar = el("div", { class: "bar" });
      bar.style.width = Math.max(0.5, 100 * value / most) + "%";
      return [el("span", {}, name), bar, el("span", { class: "mono" }, bytes(value))];
    }));
  }

  function costs(entries, group) {
    const sums = new Map(), seen = new Set();
    for (const entry of entries) {
      const name = group(entry);
      if (name === null || seen.has(name + "\n" + entry.address)) continue;
      seen.add(name + "\n" + entry.address);
      sums.set(name, (sums.get(name) || 0) + entry.bytes);
    }
    return [...sums].sort((a, b) => b[1] - a[1]).slice(0, 20);
  }

  // Who pins what: holders on the left, objects on the right.
  function graph(entries, pick) {
    const objects = new Map();
    for (const entry of entries) {
      if (!objects.has(entry.address)) objects.set(entry.address, { name: entry.object, bytes: entry.bytes, entries: [] });
      objects.get(entry.address).entries.push(entry);
    }
    const all = [...objects.values()].sort((a, b) => b.entries.length - a.entries.length || b.bytes - a.bytes);
    const drawn = all.slice(0, GRAPH_MAX);
    const holders = new Map();
    drawn.forEach((o, at) => o.entries.forEach(e => {
      const name = e.map !== null ? `map "${e.map}"` : e.holder;
      if (!holders.has(name)) holders.set(name, []);
      holders.get(name).push(at);
    }));
    const STEP = 30, WIDE = 250, right = WIDE + 200;
    const height = Math.max(drawn.length, holders.size) * STEP + 10;
    const picture = svg("svg", {
      viewBox: `0 0 ${right + WIDE + 10} ${height}`, width: right + WIDE + 10, height, role: "group",
      "aria-label": "Who pins what",
    });
    const lefts = [...holders.keys()];
    const lines = [];
    const y = (at, of) => 5 + (at + 0.5) * (height - 10) / of;
    lefts.forEach((name, at) => new Set(holders.get(name)).forEach(to => {
      const y1 = y(at, lefts.length), y2 = y(to, drawn.length);
      const line = svg("path", { d: `M${WIDE + 5},${y1} C${WIDE + 100},${y1} ${right - 100},${y2} ${right},${y2}` });
      lines.push({ line, at, to });
      picture.append(line);
    }));

    function node(x, middle, name, isOn) {
      const text = name.length > 36 ? name.slice(0, 35) + "\u2026" : name;
      const made = svg("g", { tabindex: "0", role: "button" },
        svg("title", {}, name), svg("rect", { x, y: middle - 12, width: WIDE, height: 24 }),
        svg("text", { x: x + 8, y: middle + 4 }, text));
      const on = state => lines.forEach(l => isOn(l) && l.line.classList.toggle("on", state));
      made.addEventListener("focus", () => on(true));
      made.addEventListener("blur", () => on(false));
      made.addEventListener("mouseenter", () => on(true));
      made.addEventListener("mouseleave", () => on(false));
      made.addEventListener("click", () => pick(name));
      made.addEventListener("keydown", e => {
        if (e.key === "Enter" || e.key === " ") { e.preventDefault(); pick(name); }
      });
      picture.append(made);
    }

    lefts.forEach((name, at) => node(5, y(at, lefts.length), name, l => l.at === at));
    drawn.forEach((o, at) => node(right, y(at, drawn.length), o.name, l => l.to === at));
    return el("div", {}, el("div", { class: "graph" }, picture), all.length > drawn.length
      ? el("p", { class: "quiet" }, `The ${drawn.length} objects with the most references are drawn, of ${number(all.length)};`
        + " the table has all.") : null);
  }

  function times(entries, now) {
    const oldest = [...entries].sort((a, b) => a.acquired_ns - b.acquired_ns);
    const shown = oldest.slice(0, TIMES_MAX);
    const from = shown.length ? shown[0].acquired_ns : 0, span = Math.max(1, now - from);
    return el("div", {}, el("div", { class: "times", tabindex: "0" }, ...shown.flatMap(e => {
      const life = el("div", { class: "life", title: `${e.object}, held for ${time(now - e.acquired_ns)}: ${e.holder}` });
      life.style.left = 100 * (e.acquired_ns - from) / span + "%";
      life.style.right = "0";
      return [el("div", { class: "who", title: e.object }, e.object), el("div", { class: "track" }, life)];
    })), el("p", { class: "quiet" }, `From the first reference, ${time(span)} ago, until now.`
      + (oldest.length > shown.length ? ` The ${TIMES_MAX} oldest of ${number(oldest.length)}.` : "")));
  }

  function ledger(view) {
    const users = view.entries.filter(e => !e.kernel);
    if (!users.length) {
      section("pins", "Who pins what", el("p", {}, "Nothing is pinned by anybody but the kernel itself."));
      return;
    }
    const all = el("input", { type: "checkbox" });
    let rows = null;
    const place = el("div");
    const columns = [
      { title: "object", value: e => e.object, rem: 13 },
      { title: "held by", value: e => e.holder, rem: 16 },
      { title: "since", value: e => e.since || "", rem: 16 },
      { title: "taken at", value: e => e.acquired || "", rem: 16 },
      { title: "for", value: e => view.time_ns - e.acquired_ns, text: e => time(view.time_ns - e.acquired_ns),
        number: true, rem: 6 },
      { title: "bytes", value: e => e.bytes, text: e => number(e.bytes), number: true, rem: 6 },
    ];
    function fill() {
      rows = table(columns, all.checked ? view.entries : users);
      place.replaceChildren(rows.element);
    }
    all.addEventListener("change", fill);
    fill();
    section("pins", "Who pins what", graph(users, name => {
      rows.show(name.replace(/[",]/g, " "));
      document.getElementById("references").scrollIntoView();
    }));
    section("references", "References", el("label", {}, all, " with those of the kernel itself"), place);
    section("times", "Since when", times(users, view.time_ns));
    section("costs", "What that costs", el("h3", {}, "By map"), bars(costs(users, e => e.map)),
      el("h3", {}, "By the place that took the reference"), bars(costs(users, e => e.acquired || "not known")));
  }

  const WORDS = {
    acquired: "taken", moved: "moved", lost: "lost", released: "given back", origin: "made", fault: "fault",
    branch: "branch", call: "call",
  };

  function program(p) {
    const path = p.path || [];
    const onPath = new Set(path.map(s => s.insn));
    const lines = new Map();
    for (const insn of p.listing) {
      if (insn.file !== null) {
        const key = insn.file + ":" + insn.line;
        if (!lines.has(key)) lines.set(key, { file: insn.file, line: insn.line, text: insn.source, insns: [] });
        lines.get(key).insns.push(insn.insn);
      }
    }
    const sources = [...lines.values()].sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
    const fault = path.length ? path[path.length - 1].insn : -1;
    const byInsn = new Map(), bySource = new Map();
    const code = el("div", { class: "pane", tabindex: "0", "aria-label": "Instructions" }, el("h3", {}, "instructions"));
    code.append(...p.listing.map(insn => {
      const row = el("div", { class: (onPath.has(insn.insn) ? "path" : "") + (insn.insn === fault ? " fault" : "") },
        el("span", { class: "n" }, String(insn.insn)), el("span", { class: "t" }, insn.text));
      byInsn.set(insn.insn, row);
      return row;
    }));
    const text = el("div", { class: "pane", tabindex: "0", "aria-label": "C source" },
      el("h3", {}, sources.length ? sources[0].file : "no line info: compile with -g"));
    text.append(...sources.map(line => {
      const row = el("div", {
        class: (line.insns.some(i => onPath.has(i)) ? "path" : "") + (line.insns.includes(fault) ? " fault" : ""),
      }, el("span", { class: "n" }, String(line.line)), el("span", { class: "t" }, line.text));
      line.insns.forEach(i => bySource.set(i, row));
      return row;
    }));

    let at = -1, marked = [];
    const said = el("div", { class: "step", "aria-live": "polite" });
    const buttons = path.map((s, i) => el("button", {
      type: "button", class: s.kind, title: s.text, onclick: () => go(i),
    }, `${WORDS[s.kind]} ${s.insn}`));

    function go(to) {
      if (!path.length) return;
      at = Math.min(Math.max(to, 0), path.length - 1);
      const step = path[at];
      marked.forEach(m => m.classList.remove("now"));
      marked = [byInsn.get(step.insn), bySource.get(step.insn)].filter(m => m);
      marked.forEach(m => { m.classList.add("now"); m.scrollIntoView({ block: "nearest" }); });
      buttons.forEach((b, i) => i === at ? b.setAttribute("aria-current", "step") : b.removeAttribute("aria-current"));
      said.replaceChildren(
        el("strong", { class: step.kind === "fault" ? "bad" : null }, `${at + 1} of ${path.length}, instruction ${step.insn}: `),
        step.text, el("pre", { class: "state" }, step.state || "no state is recorded here"));
    }

    const parts = [];
    if (p.message) parts.push(el("p", {}, el("strong", { class: "bad" }, p.message), ` (${p.code})`));
    if (p.suggestion) parts.push(el("p", {}, el("strong", {}, "Mend it: "), p.suggestion));
    for (const warning of p.warnings || []) parts.push(el("p", { class: "warn" }, `warning: ${warning}`));
    if (path.length) {
      parts.push(el("ul", { class: "life-line", "aria-label": "The path to the fault" }, ...buttons.map(b => el("li", {}, b))));
      parts.push(el("div", { class: "tools" },
        el("button", { type: "button", onclick: () => go(at - 1) }, "\u2190 step back"),
        el("button", { type: "button", onclick: () => go(at + 1) }, "step on \u2192"),
        el("span", { class: "keys" }, "or the arrow keys left and right, inside this program")));
      parts.push(said);
    }
    const panes = el("div", { class: "panes" }, text, code);
    const body = el("div", { class: "body", onkeydown: e => {
      if (e.key === "ArrowRight" || e.key === "ArrowLeft") {
        e.preventDefault();
        go(at + (e.key === "ArrowRight" ? 1 : -1));
      }
    } }, ...parts, panes);
    const color = p.verdict === "accept" ? "good" : p.verdict === "reject" ? "bad" : "warn";
    const made = el("details", { class: "program" },
      el("summary", {}, el("span", { class: "word " + color }, p.verdict), el("strong", {}, p.program),
        ` [${p.section}] `, el("span", { class: "quiet" }, `${p.object}, ${p.kernel}, ${number(p.processed_insns)} instructions`
          + " processed")), body);
    made.dataset.verdict = p.verdict;
    if (p.verdict !== "accept") made.open = true;
    if (path.length) go(path.length - 1);
    return made;
  }

  function programs(list) {
    const made = list.map(program);
    const only = el("input", { type: "checkbox", onchange: () => made.forEach(
      m => { m.hidden = only.checked && m.dataset.verdict === "accept"; }) });
    section("programs", "Programs", el("label", {}, only, " only what is not accepted"), ...made);
  }

  function run(facts) {
    if (facts.programs.length) {
      section("ran", "What ran", table([
        { title: "program", value: p => p.program, rem: 12 },
        { title: "at", value: p => p.at, rem: 12 },
        { title: "runs", value: p => p.runs, text: p => number(p.runs), number: true, rem: 7 },
        { title: "ns a run", value: p => p.ns, text: p => number(Math.round(p.ns)), number: true, rem: 7 },
      ], facts.programs).element);
    }
    for (const [title, lines] of facts.texts) {
      section(title.replace(/\W+/g, "-"), title, el("pre", { class: "mono" }, lines.join("\n")));
    }
    if (facts.maps.length) {
      section("maps", "Maps", ...facts.maps.flatMap(map => {
        const names = [...new Set(map.rows.flatMap(r => r.fields.map(f => f[0])))];
        return [el("h3", {}, map.map), map.rows.length === 0 ? el("p", { class: "quiet" }, "empty") : el("table", { class: "map" },
          el("thead", {}, el("tr", {}, el("th", {}, "key"), ...names.map(n => el("th", {}, n)))),
          el("tbody", {}, ...map.rows.map(r => el("tr", {}, el("td", {}, r.key), ...names.map(
            n => el("td", {}, (r.fields.find(f => f[0] === n) || [null, ""])[1]))))))];
      }));
    }
  }

  document.getElementById("summary").textContent = data.summary;
  if (data.run) run(data.run);
  if (data.programs) programs(data.programs);
  if (data.ledger) ledger(data.ledger);
})();
