// Sorting, filtering and comparing. Text from runs becomes text nodes and attributes alone, never markup.
"use strict";
(() => {
  const ROWS = 100; // that the leaderboard shows at once
  const collator = new Intl.Collator("en", { numeric: true });
  const SVG = "http://www.w3.org/2000/svg";

  function make(name, attributes = {}, ...children) {
    const node = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) if (value !== null) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  function draw(name, attributes) {
    const node = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    return node;
  }

  function drawInterval([mean, low, high], chance) {
    const svg = draw("svg", { class: "interval", viewBox: "0 0 100 12", "aria-hidden": "true" });
    svg.append(draw("path", { class: "chance", d: `M${chance} 8v3.5` }), draw("path", { class: "axis", d: "M0 11.5H100" }));
    if (low !== null) svg.append(draw("path", { class: "range", d: `M${low} 6H${high}` }));
    if (mean !== null) svg.append(draw("path", { class: "mean", d: `M${mean} 2v8` }));
    return svg;
  }

  function show(value, decimals) {
    return value === null ? "–" : value.toFixed(decimals);
  }

  function compare(one, other, isDescending) {
    const missing = (value) => value === null || value === "" || value === undefined;
    if (missing(one) || missing(other)) return missing(one) - missing(other); // last in either order
    const order = typeof one === "number" ? one - other : collator.compare(one, other);
    return isDescending ? -order : order;
  }

  // Rows in order; equal ones stay as they were. What they are ordered by is read once a row.
  function sorted(rows, keyOf, isDescending) {
    const keyed = rows.map((row, place) => [keyOf(row), place, row]);
    keyed.sort((a, b) => compare(a[0], b[0], isDescending) || a[1] - b[1]);
    return keyed.map((item) => item[2]);
  }

  function markSorted(head, heading, isDescending) {
    for (const one of head.querySelectorAll("[aria-sort]")) one.removeAttribute("aria-sort");
    if (heading) heading.setAttribute("aria-sort", isDescending ? "descending" : "ascending");
  }

  function embedded() {
    return JSON.parse(document.getElementById("data").textContent);
  }

  function sortTables() {
    for (const table of document.querySelectorAll("table.sortable")) {
      const head = table.tHead;
      for (const heading of head.querySelectorAll("th[data-sort]")) {
        const isNumber = heading.dataset.sort !== "text";
        const button = make("button", { type: "button" }, heading.textContent);
        heading.replaceChildren(button);
        button.addEventListener("click", () => {
          const now = heading.getAttribute("aria-sort");
          const isDescending = now ? now === "ascending" : isNumber;
          const keyOf = (row) => {
            const cell = row.cells[heading.cellIndex];
            const text = cell.dataset.value ?? cell.textContent.trim();
            if (!isNumber) return text;
            return text === "" || Number.isNaN(Number(text)) ? null : Number(text);
          };
          table.tBodies[0].append(...sorted([...table.tBodies[0].rows], keyOf, isDescending));
          markSorted(head, heading, isDescending);
        });
      }
    }
  }

  function leaderboard(table) {
    const { scores, marks: meanings, rows: lists } = embedded();
    const rows = lists.map((list) => {
      const [page, corpus, tested, languages, encoder, details, head, protocol, nFolds, nLabels, marks, made, ...values] = list;
      const words = [corpus, ...languages, encoder, details, head, protocol, made].join(" ").toLowerCase();
      return { page, corpus, tested, languages, encoder, details, head, protocol, nFolds, nLabels, marks, made, values, words };
    });
    const text = (name, title, keyOf) => ({ name, title, keyOf, fill: (cell, row) => cell.append(String(keyOf(row))) });
    const columns = [
      text("corpus", "corpus", (row) => row.corpus),
      text("languages", "languages", (row) => row.languages.join(", ")),
      { name: "encoder", title: "encoder", keyOf: (row) => `${row.encoder} ${row.details}`, fill: fillEncoder },
      text("head", "head", (row) => row.head),
      text("folds", "folds", (row) => row.protocol),
      ...scores.map(scoreColumn),
      { name: "interval", title: "UA, 95 % interval, %", keyOf: (row) => row.values[0][1], isDescending: true, fill: fillInterval },
      { name: "deviation", title: "± over folds", keyOf: (row) => row.values[0][3], isNumber: true, isDescending: true,
        fill: (cell, row) => cell.append(show(row.values[0][3], 1)) },
      { ...text("n_folds", "number of folds", (row) => row.nFolds), isNumber: true, isDescending: true },
      { ...text("labels", "labels", (row) => row.nLabels), isNumber: true, isDescending: true },
      { ...text("made", "made", (row) => row.made), isDescending: true },
    ];

    function scoreColumn(score, index) {
      return {
        name: score.name, title: score.isPercent ? `${score.title}, %` : score.title, keyOf: (row) => row.values[index][0],
        isNumber: true, isMain: index === 0, isDescending: true,
        fill: (cell, row) => cell.append(show(row.values[index][0], score.decimals)),
      };
    }

    function fillEncoder(cell, row) {
      cell.append(make("a", { href: `runs/${row.page}.html` }, row.encoder));
      for (const mark of row.marks) cell.append(" ", make("abbr", { title: meanings[mark] }, mark));
      if (row.details) cell.append(make("span", { class: "details" }, row.details));
    }

    function fillInterval(cell, row) {
      const [, low, high] = row.values[0];
      cell.className = "drawn";
      const bounds = low === null ? "" : `${show(low, 1)} to ${show(high, 1)}`;
      cell.append(drawInterval(row.values[0], 100 / row.nLabels), make("small", {}, bounds));
    }

    const form = document.getElementById("filters");
    const status = document.getElementById("status");
    const [previous, next] = [document.getElementById("previous"), document.getElementById("next")];
    const fields = [...form.elements].filter((field) => field.name);
    const state = { column: columns[5], isDescending: true, first: 0, shown: rows };

    const headings = columns.map((column) => {
      const button = make("button", { type: "button" }, column.title);
      const heading = make("th", { scope: "col", class: column.isNumber ? "num" : null }, button);
      button.addEventListener("click", () => {
        state.isDescending = state.column === column ? !state.isDescending : Boolean(column.isDescending);
        state.column = column;
        update();
      });
      return heading;
    });
    table.tHead.rows[0].append(...headings);

    function keep(row, chosen) {
      return (!chosen.corpus || row.tested === chosen.corpus)
        && (!chosen.language || row.languages.includes(chosen.language))
        && (!chosen.encoder || row.encoder === chosen.encoder)
        && (!chosen.protocol || row.protocol === chosen.protocol)
        && (!chosen.head || row.head === chosen.head)
        && chosen.words.toLowerCase().split(/\s+/).every((word) => row.words.includes(word));
    }

    function update() {
      const chosen = Object.fromEntries(fields.map((field) => [field.name, field.value]));
      state.shown = sorted(rows.filter((row) => keep(row, chosen)), state.column.keyOf, state.isDescending);
      state.first = 0;
      const told = new URLSearchParams(Object.entries(chosen).filter(([, value]) => value));
      if (state.column !== columns[5] || !state.isDescending) {
        told.set("sort", `${state.isDescending ? "-" : ""}${state.column.name}`);
      }
      history.replaceState(null, "", `#${told}`);
      markSorted(table.tHead, headings[columns.indexOf(state.column)], state.isDescending);
      fill();
    }

    function fill() {
      const { shown, first } = state;
      const page = shown.slice(first, first + ROWS);
      table.tBodies[0].replaceChildren(...page.map((row) => {
        const line = make("tr");
        for (const column of columns) {
          const cell = make("td", { class: [column.isNumber && "num", column.isMain && "main"].filter(Boolean).join(" ") || null });
          column.fill(cell, row);
          line.append(cell);
        }
        return line;
      }));
      const range = shown.length > ROWS ? `, shown are ${first + 1} to ${first + page.length}` : "";
      status.textContent = `${shown.length} of ${rows.length} runs${range}`;
      previous.disabled = first === 0;
      next.disabled = first + ROWS >= shown.length;
    }

    function turn(step) {
      state.first += step * ROWS;
      fill();
    }

    function readAddress() {
      const told = new URLSearchParams(location.hash.slice(1));
      for (const field of fields) field.value = told.get(field.name) ?? "";
      for (const field of fields) if (field.selectedIndex === -1) field.value = "";
      const name = told.get("sort") ?? "";
      const column = columns.find((one) => one.name === name.replace(/^-/, ""));
      state.column = column ?? columns[5];
      state.isDescending = column ? name.startsWith("-") : true;
      update();
    }

    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", update);
    form.addEventListener("reset", () => setTimeout(update));
    previous.addEventListener("click", () => turn(-1));
    next.addEventListener("click", () => turn(1));
    addEventListener("hashchange", readAddress);
    readAddress();
  }

  function comparison(place) {
    const data = embedded();
    const runs = data.runs.map(([page, corpus, title, protocol, options, values, folds, recall]) => {
      const named = (pairs) => new Map(pairs.map(([name, value]) => [data.texts[name], value]));
      return { page, corpus, title, protocol, options, values, folds: () => named(folds), recall: () => named(recall) };
    });
    const order = sorted(runs, (run) => `${run.corpus} ${run.title}`, false);
    const form = document.getElementById("pair");
    const status = document.getElementById("status");
    for (const select of [form.a, form.b]) {
      const groups = new Map();
      for (const run of order) {
        if (!groups.has(run.corpus)) groups.set(run.corpus, make("optgroup", { label: run.corpus }));
        groups.get(run.corpus).append(make("option", { value: run.page }, `${run.title}, ${run.protocol} folds (${run.corpus})`));
      }
      select.append(...groups.values());
    }

    function table(caption, heads, lines) {
      const body = make("tbody", {}, ...lines.map(([name, ...cells]) =>
        make("tr", {}, make("th", { scope: "row" }, name), ...cells)));
      const head = make("tr", {}, ...heads.map((title, index) =>
        make("th", { scope: "col", class: index && heads.isNumber ? "num" : null }, title)));
      const made = make("table", {}, make("caption", {}, caption), make("thead", {}, head), body);
      return make("div", { class: "scroll", role: "region", "aria-label": caption, tabindex: "0" }, made);
    }

    function numbers(titles) {
      return Object.assign(titles, { isNumber: true });
    }

    function triple(a, b, decimals) {
      const cell = (text, kind = "num") => make("td", { class: kind }, text);
      const difference = a === null || b === null ? null : b - a;
      const sign = difference > 0 ? "+" : "";
      return [cell(show(a, decimals)), cell(show(b, decimals)), cell(difference === null ? "–" : sign + show(difference, decimals))];
    }

    function byName(one, other) {
      return [...new Set([...one.keys(), ...other.keys()])].map((name) =>
        [name, ...triple(one.get(name) ?? null, other.get(name) ?? null, 1)]);
    }

    function update() {
      const [a, b] = [form.a, form.b].map((select) => runs.find((run) => run.page === select.value));
      const bounds = (value, decimals) => value[1] === null ? "no interval" : `${show(value[1], decimals)} to ${show(value[2], decimals)}`;
      const scores = data.scores.map((score, index) => [
        score.isPercent ? `${score.title}, %` : score.title,
        ...triple(a.values[index][0], b.values[index][0], score.decimals),
        make("td", {}, bounds(a.values[index], score.decimals)), make("td", {}, bounds(b.values[index], score.decimals)),
      ]);
      const settings = data.options.map((name, index) => [name, data.texts[a.options[index]], data.texts[b.options[index]]]);
      const differing = settings.filter(([, one, other]) => one !== other);
      const lines = differing.map(([name, one, other]) => [name, make("td", {}, one || "none"), make("td", {}, other || "none")]);
      const reasons = [a.corpus !== b.corpus && "corpora", a.protocol !== b.protocol && "kinds of folds"].filter(Boolean);
      status.textContent = a === b ? "The two are one run."
        : reasons.length ? `The two are of different ${reasons.join(" and ")}: their scores do not answer one question.`
        : "Differences are the second less the first, without a test of their own.";
      const links = make("p", {}, "Pages: ", make("a", { href: `runs/${a.page}.html` }, `${a.corpus}, ${a.title}`), " and ",
        make("a", { href: `runs/${b.page}.html` }, `${b.corpus}, ${b.title}`), ".");
      place.replaceChildren(
        links,
        table("Scores, mean over folds", numbers(["score", "first", "second", "difference", "first, 95 % interval", "second, 95 % interval"]), scores),
        lines.length ? table("Settings that differ", ["setting", "first", "second"], lines) : make("p", {}, "All settings are the same."),
        table("UA by fold, %", numbers(["fold", "first", "second", "difference"]), byName(a.folds(), b.folds())),
        table("Recall by label, %, all folds and seeds together", numbers(["label", "first", "second", "difference"]), byName(a.recall(), b.recall())),
      );
      history.replaceState(null, "", `#${new URLSearchParams({ a: a.page, b: b.page })}`);
    }

    function readAddress() {
      const told = new URLSearchParams(location.hash.slice(1));
      [form.a, form.b].forEach((select, index) => {
        select.value = told.get(select.name) ?? "";
        if (select.selectedIndex === -1) select.selectedIndex = Math.min(index, select.options.length - 1);
      });
      if (!told.get("b") && told.get("a")) {
        const near = order.find((run) => run.page !== form.a.value && run.corpus === runs.find((one) => one.page === form.a.value)?.corpus);
        if (near) form.b.value = near.page;
      }
      update();
    }

    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", update);
    addEventListener("hashchange", readAddress);
    readAddress();
  }

  sortTables();
  const table = document.getElementById("leaderboard");
  if (table) leaderboard(table);
  const place = document.getElementById("comparison");
  if (place) comparison(place);
})();
