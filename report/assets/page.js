"use strict";
(() => {
  const root = document.documentElement;
  const $ = (selector, from = document) => from.querySelector(selector);
  const $$ = (selector, from = document) => [...from.querySelectorAll(selector)];
  const drawings = JSON.parse($("#drawings").textContent);
  const drawn = new Set();

  // A page that is opened as a file may have no storage.
  const recall = (store, key) => { try { return window[store].getItem(key); } catch { return null; } };
  const keep = (store, key, value) => { try { window[store].setItem(key, value); } catch { /* not kept */ } };

  const complain = (error) => {
    const note = $("#trouble");
    note.hidden = false;
    note.textContent = `The figures cannot be drawn here: ${error}. All their values are in the tables.`;
  };

  // ---- colours -----------------------------------------------------------------------------------------
  const setTheme = (name) => {
    if (name === "auto") delete root.dataset.theme; else root.dataset.theme = name;
    $$("input[name=theme]").forEach((input) => { input.checked = input.value === name; });
    redraw();
  };
  const withColours = (value, styles) => {
    if (typeof value === "string") {
      return value.startsWith("$") ? styles.getPropertyValue(`--${value.slice(1)}`).trim() || "#888888" : value;
    }
    if (Array.isArray(value)) {
      const some = value.some((each) => typeof each === "object" || (typeof each === "string" && each.startsWith("$")));
      return some ? value.map((each) => withColours(each, styles)) : value;
    }
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withColours(each, styles)]));
    }
    return value;
  };

  // ---- figures -----------------------------------------------------------------------------------------
  const isObject = (value) => value && typeof value === "object" && !Array.isArray(value);
  const join = (first, second) => {
    const result = { ...first };
    for (const [key, value] of Object.entries(second)) {
      result[key] = isObject(value) && isObject(result[key]) ? join(result[key], value) : value;
    }
    return result;
  };
  // On a narrow page long names would leave no room for what they name.
  const short = (name) => (name.length > 19 ? `${name.slice(0, 18)}…` : name);
  const shortened = (axis, traces) => {
    if (axis.ticktext) return { ...axis, ticktext: axis.ticktext.map(short) };
    if (axis.type !== "category") return axis;
    const names = [...new Set(traces.flatMap((trace) => trace.y).filter((name) => name !== null))];
    return { ...axis, tickmode: "array", tickvals: names, ticktext: names.map(short) };
  };
  const draw = (element) => {
    const { data, layout, height, heights, figure } = drawings[element.id];
    const chosen = $(`input[name="view-${figure}"]:checked`);
    const narrow = element.clientWidth < 480;
    const touch = matchMedia("(pointer: coarse)").matches;
    const axis = { gridcolor: "$grid", linecolor: "$line", zerolinecolor: "$line", automargin: true, tickfont: { size: narrow ? 10 : 12 } };
    const common = {
      autosize: true, height, paper_bgcolor: "$panel", plot_bgcolor: "$panel", colorway: ["$accent"],
      font: { family: getComputedStyle(document.body).fontFamily, color: "$text", size: 12 },
      margin: { l: 10, r: 10, t: 10, b: 10 },
      hoverlabel: { bgcolor: "$panel", bordercolor: "$line", font: { color: "$text" } },
      legend: { orientation: "h", y: 1.01, yanchor: "bottom", x: 0, font: { size: 11 } },
      // Where there is no mouse, a finger that moves scrolls the page.
      dragmode: touch ? false : "zoom",
      xaxis: axis, yaxis: axis,
    };
    const styles = getComputedStyle(root);
    const traces = data.filter((trace) => !trace.view || !chosen || trace.view === chosen.value)
      .map(({ view, ...trace }) => trace);
    const own = { ...layout, ...(heights ? { height: heights[chosen?.value] ?? height } : {}) };
    if (narrow) own.yaxis = shortened(own.yaxis ?? {}, traces);
    drawn.add(element);
    return Plotly.react(element, withColours(traces, styles), withColours(join(common, own), styles), {
      // Plotly's toolbar lies over what is drawn: a button below the figure does what it is needed for.
      responsive: true, displaylogo: false, displayModeBar: false,
    });
  };
  const redraw = () => drawn.forEach((element) => draw(element).catch(complain));

  const unpack = async () => {
    const packed = Uint8Array.from(atob($("#library").textContent), (character) => character.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    if (!window.Plotly) throw new Error("plotly.js did not load");
  };
  const start = async () => {
    const plots = $$(".plot");
    plots.forEach((element) => { element.style.minHeight = `${element.dataset.height}px`; });
    await unpack();
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target).catch(complain); }
      }
    }, { rootMargin: "600px" });
    plots.forEach((element) => seen.observe(element));
    addEventListener("beforeprint", () => plots.filter((element) => !drawn.has(element)).forEach(draw));
    root.dataset.ready = "yes";
  };

  // ---- tables ------------------------------------------------------------------------------------------
  const valueOf = (cell) => cell.dataset.v ?? cell.textContent;
  const sort = (header) => {
    const table = header.closest("table");
    const place = [...header.parentNode.children].indexOf(header);
    const down = header.getAttribute("aria-sort") === "ascending";
    $$("thead th[aria-sort]", table).forEach((each) => each.setAttribute("aria-sort", "none"));
    header.setAttribute("aria-sort", down ? "descending" : "ascending");
    const numeric = header.classList.contains("number");
    // Identifiers have more digits than a number holds here: as texts whose digits count they keep all of them.
    const order = new Intl.Collator("en", { numeric: header.classList.contains("id") });
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => {
      const text = valueOf(row.cells[place]);
      return [numeric ? (text === "" ? NaN : Number(text)) : text, row];
    });
    rows.sort(([a], [b]) => {
      // What is not there comes last, whichever way.
      if (numeric) return Number.isNaN(a) || Number.isNaN(b) ? Number.isNaN(a) - Number.isNaN(b) : down ? b - a : a - b;
      return down ? order.compare(b, a) : order.compare(a, b);
    });
    body.append(...rows.map(([, row]) => row));
  };
  const save = (name, type, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const asCsv = (table) => {
    const quote = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = [...table.rows].map((row) => [...row.cells].map((cell) => quote(valueOf(cell).trim())).join(","));
    return `${lines.join("\r\n")}\r\n`;
  };

  // ---- doing -------------------------------------------------------------------------------------------
  const openMenu = (open) => $("#menu").setAttribute("aria-expanded", String(open));
  root.dataset.menu = "yes"; // without this script the sections are a row that scrolls
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") openMenu(false); });
  document.addEventListener("click", async (event) => {
    if (!event.target.closest("nav button")) openMenu(false);
    const button = event.target.closest("button");
    if (!button) return;
    if (button.matches("table.sortable thead button")) sort(button.closest("th"));
    if (button.matches(".csv")) save(`${button.dataset.name}.csv`, "text/csv", asCsv(document.getElementById(button.dataset.table)));
    if (button.matches(".png")) {
      const element = document.getElementById(button.dataset.plot);
      if (!drawn.has(element)) await draw(element);
      Plotly.downloadImage(element, { format: "png", scale: 2, filename: element.id.replace("plot-", `${$("h1").textContent}-`) });
    }
    if (button.matches(".reset")) $$(".plot", button.closest("figure")).filter((each) => drawn.has(each)).forEach((each) => draw(each).catch(complain));
    if (button.id === "menu") openMenu(button.getAttribute("aria-expanded") !== "true");
    if (button.matches(".copy")) {
      const text = document.getElementById(button.dataset.source).textContent;
      const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
      button.textContent = done ? "Copied" : "Select it and copy by hand";
    }
  });
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (input.name === "theme") { keep("localStorage", "apcampaign-theme", input.value); setTheme(input.value); }
    if (input.name?.startsWith("view-")) $$(".plot", input.closest("figure")).filter((each) => drawn.has(each)).forEach((each) => draw(each).catch(complain));
  });
  setTheme(recall("localStorage", "apcampaign-theme") ?? "auto");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);

  // ---- where one is ------------------------------------------------------------------------------------
  const links = new Map($$("nav a").map((link) => [link.hash.slice(1), link]));
  const here = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      links.get(target.id).classList.toggle("here", isIntersecting);
      if (isIntersecting) $("#menu").textContent = `☰ ${links.get(target.id).textContent}`;
    }
  }, { rootMargin: "-15% 0px -75% 0px" });
  links.forEach((_, id) => here.observe(document.getElementById(id)));

  // ---- loading itself again ----------------------------------------------------------------------------
  const state = JSON.parse(recall("sessionStorage", "apcampaign-page") ?? "{}");
  (state.open ?? []).forEach((id) => document.getElementById(id)?.setAttribute("open", ""));
  (state.views ?? []).forEach(([name, value]) => {
    const input = $$(`input[name="${name}"]`).find((each) => each.value === value);
    if (input) input.checked = true;
  });
  if (root.dataset.refresh) {
    let paused = state.paused ?? false;
    const pause = $("#pause");
    const show = () => {
      pause.textContent = paused ? "Go on" : "Pause";
      pause.setAttribute("aria-pressed", String(paused));
      $("#live").textContent = paused ? "· paused" : `· loads itself again every ${root.dataset.refresh} s`;
    };
    const remember = () => keep("sessionStorage", "apcampaign-page", JSON.stringify({
      paused, scroll: scrollY,
      open: $$("details[open][id]").map((each) => each.id),
      views: $$("input[name^=view-]:checked").map((each) => [each.name, each.value]),
    }));
    pause.addEventListener("click", () => { paused = !paused; show(); remember(); });
    show();
    setInterval(() => { if (!paused && !document.hidden) { remember(); location.reload(); } }, 1000 * Number(root.dataset.refresh));
    if (state.scroll) scrollTo({ top: state.scroll, behavior: "instant" });
  }
  start().catch(complain);
})();
