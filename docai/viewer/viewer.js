"use strict";
// The viewer. What comes from a document is only ever set as text, never as HTML.

const data = JSON.parse(document.getElementById("data").textContent);
const token = document.querySelector('meta[name="docai-token"]').content;
const records = new Map(data.records.map((record) => [record.id, record]));
const pageOf = new Map(data.pages.map((page) => [page.number, page]));
const STORE = `docai corrections ${data.source.sha256}`;
const get = (id) => document.getElementById(id);

let corrections = [...data.corrections];
let current = null;
let editor = null;
let overlay = false;
let unsaved = false;

function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name in node && typeof value !== "string") node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function say(text) { get("message").textContent = text; }

// ---- confidence, in a color and in words

function level(value) {
  if (value === null || value === undefined) return "unknown";
  return value >= data.doubtful ? "sure" : value >= 0.5 ? "unsure" : "wrong";
}

function percent(value) { return value === null || value === undefined ? "?" : `${Math.round(value * 100)} %`; }

function partClass(part) {
  const of_part = level(part.confidence);
  return of_part === "sure" || of_part === "unknown" ? "" : `${of_part}-part`;
}

// ---- pictures: in elements of the page, or from the server behind it

const urls = new Map();

function pictureUrl(name) {
  if (data.serves) return data.missing && !name.startsWith("drawing-") ? null : `${location.pathname}/picture/${encodeURIComponent(name)}`;
  if (!urls.has(name)) {
    const source = get(`picture-${name}`);
    urls.set(name, source ? blobUrl(Uint8Array.from(atob(source.textContent), (c) => c.charCodeAt(0)), name.startsWith("drawing-")) : null);
  }
  return urls.get(name);
}

function blobUrl(bytes, isDrawing) {
  return URL.createObjectURL(new Blob([bytes], { type: isDrawing ? "image/svg+xml" : "image/webp" }));
}

function image(url, alt) {
  const node = element("img", { src: url, alt });
  node.addEventListener("error", () => node.replaceWith(element("p", {}, "(no picture)")));
  return node;
}

// ---- corrections

function validCorrection(id) {
  const stack = [];
  for (const one of corrections) {
    if (one.record !== id) continue;
    if (one.verdict === "undone") stack.pop();
    else stack.push(one);
  }
  return stack.at(-1) ?? null;
}

function contentNow(record) { return validCorrection(record.id)?.content ?? record.content; }

async function ask(path, body) {
  const reply = await fetch(`${location.pathname}/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", "X-Docai-Token": token },
    body: JSON.stringify(body),
  });
  const answer = await reply.json();
  if (!reply.ok) throw new Error(answer.error ?? reply.statusText);
  return answer;
}

async function correct(record, verdict, content = null) {
  let correction = {
    record: record.id, verdict, original: record.content, content,
    who: get("who").value.trim(), when: new Date().toISOString(),
  };
  if (data.serves) {
    try {
      correction = (await ask("corrections", correction)).correction;
    } catch (error) {
      say(error.message);
      return false;
    }
  }
  say("");
  corrections.push(correction);
  if (!data.serves) {
    unsaved = true;
    keepHere();
  }
  refresh(record);
  return true;
}

function keepHere() {
  // Storage may be refused to a file, or be full: the button saves in any case.
  try { localStorage.setItem(STORE, JSON.stringify(corrections)); } catch { /* see above */ }
}

function restore() {
  if (data.serves) return;
  try {
    const known = new Set(corrections.map((one) => one.record + one.when));
    const kept = JSON.parse(localStorage.getItem(STORE) ?? "[]");
    const more = kept.filter((one) => records.has(one.record) && !known.has(one.record + one.when));
    if (more.length) {
      corrections.push(...more);
      unsaved = true;
      say("Corrections that were made here earlier and not saved are back.");
    }
  } catch { /* what is there is none of ours */ }
}

function save() {
  if (data.serves) {
    say("Each correction is saved already, beside the result.");
    return;
  }
  const text = JSON.stringify({
    corrections_version: "1.0", source_name: data.source.name, source_sha256: data.source.sha256, corrections,
  }, null, 2);
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  element("a", { href: url, download: data.corrections_name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  unsaved = false;
  count();
  say("Put the file that was downloaded beside the result.");
}

// ---- pages, drawn when they are near

function layOutPages() {
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) fillPage(entry.target);
      else entry.target.replaceChildren();
    }
  }, { root: get("pages"), rootMargin: "1200px" });
  for (const page of data.pages) {
    const node = element("div", { class: "page", id: `page-${page.number}`, role: "group", "aria-label": `Page ${page.number}` });
    node.style.aspectRatio = `${page.width || 595} / ${page.height || 842}`;
    node.dataset.number = page.number;
    get("pages").append(node);
    watcher.observe(node);
  }
}

function fillPage(node) {
  const number = Number(node.dataset.number);
  const page = pageOf.get(number);
  const url = page.origin === "failed" ? null : pictureUrl(`page-${number}`);
  node.replaceChildren(
    ...(url ? [image(url, `Page ${number}`)] : []),
    ...data.records.filter((record) => record.page === number).map((record) => box(record, page)),
    element("span", { class: "number" }, page.origin === "failed" ? `${number}: could not be read` : `${number}`),
  );
}

function box(record, page) {
  const [x0, y0, x1, y1] = record.bbox;
  const checked = validCorrection(record.id);
  const node = element("button", {
    type: "button", id: `box-${record.id}`, class: `box ${level(record.confidence.value)}${checked ? " checked" : ""}`,
    "aria-label": `${record.kind}, ${percent(record.confidence.value)} sure${checked ? `, ${checked.verdict}` : ""}`,
    "data-sure": record.confidence.value === null ? "" : percent(record.confidence.value),
    "aria-current": String(current?.id === record.id), onclick: () => select(record.id),
  });
  node.style.setProperty("--box", record.color);
  node.style.left = `${(100 * x0) / page.width}%`;
  node.style.top = `${(100 * y0) / page.height}%`;
  node.style.width = `${(100 * (x1 - x0)) / page.width}%`;
  node.style.height = `${(100 * (y1 - y0)) / page.height}%`;
  return node;
}

function refresh(record) {
  const node = get(`page-${record.page}`);
  if (node?.childElementCount) fillPage(node);
  showRecord();
  count();
}

function count() {
  const doubtful = data.records.filter((record) => record.is_doubtful);
  const open = doubtful.filter((record) => !validCorrection(record.id)).length;
  const checked = data.records.filter((record) => validCorrection(record.id)).length;
  get("counts").textContent = `${data.records.length} records · ${open} doubtful · ${checked} checked${unsaved ? " · not saved" : ""}`;
}

// ---- from record to record

function wanted() {
  const kind = get("kind").value;
  return data.records.filter((record) => !kind || record.kind === kind);
}

function step(by) {
  const list = wanted();
  if (!list.length) return;
  const at = list.indexOf(current);
  select(list[(at < 0 ? (by > 0 ? 0 : list.length - 1) : at + by + list.length) % list.length].id);
}

function nextDoubtful() {
  const list = wanted();
  const at = list.indexOf(current);
  const rest = [...list.slice(at + 1), ...list.slice(0, at + 1)];
  const found = rest.find((record) => record.is_doubtful && !validCorrection(record.id));
  if (found) select(found.id);
  else say("Nothing doubtful is left to check.");
}

function select(id) {
  const record = records.get(id);
  if (!record) return;
  if (editor && !confirm("Leave the change that is not kept?")) return;
  editor = null;
  say("");
  const before = current;
  current = record;
  if (before) get(`box-${before.id}`)?.setAttribute("aria-current", "false");
  const page = get(`page-${record.page}`);
  if (page) {
    if (!page.childElementCount) fillPage(page);
    const node = get(`box-${id}`);
    node?.setAttribute("aria-current", "true");
    node?.scrollIntoView({ block: "nearest" });
  }
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
  showRecord();
}

// ---- one record

function showRecord() {
  const panel = get("record");
  if (!current) {
    panel.replaceChildren(element("p", {}, "No record is chosen: press N for the first that is doubtful, J for the first of all."));
    return;
  }
  const record = current;
  const verdict = validCorrection(record.id);
  panel.replaceChildren(...[
    element("h2", { tabindex: "-1" }, `${record.role && record.role !== "paragraph" ? record.role : record.kind} on page ${record.page}${record.brief && !verdict?.content ? `: ${record.brief}` : ""}`),
    element("p", {},
      element("span", { class: `chip ${level(record.confidence.value)}` }, record.confidence.value === null ? "not measured" : `${percent(record.confidence.value)} sure`),
      element("span", {}, record.confidence.method)),
    verdict ? element("p", { class: "verdict" }, `${verdict.verdict}${verdict.who ? ` by ${verdict.who}` : ""}, ${new Date(verdict.when).toLocaleString()}`) : null,
    refusal(record, verdict) ? element("p", { class: "refused" }, `It does not count: ${refusal(record, verdict)}`) : null,
    actions(record, verdict),
    issues(record.issues),
    ...(editor ? [editor.node] : [picture(record), element("h3", {}, verdict?.content ? "As corrected" : "As read"), rendering(record)]),
    ...sources(record),
  ].filter((node) => node !== null));
  editor?.focus();
}

// Why a correction that was in the file cannot be; one that was made since was checked, or is not yet.
function refusal(record, verdict) {
  const known = verdict && data.corrections.some((one) => one.record === verdict.record && one.when === verdict.when);
  return known ? data.refused[record.id] : undefined;
}

function accept(record) {
  if (validCorrection(record.id)?.verdict === "corrected") say("It was corrected, which counts; U takes that back.");
  else correct(record, "accepted");
}

function actions(record, verdict) {
  if (!record.can_correct) return element("p", {}, "Records of this kind are shown only.");
  const button = (text, key, act, disabled = false) => element("button", { type: "button", title: key, onclick: act, disabled }, text);
  return element("div", { class: "actions" },
    ...(editor
      ? [button("Keep the change", "Ctrl+Enter", keepEdit), button("Leave it", "Escape", leaveEdit)]
      : [
        button("Accept", "A", () => accept(record)),
        button("Edit", "E", startEdit),
        button("Reject", "R", () => correct(record, "rejected")),
        button("Undo", "U", () => correct(record, "undone"), !verdict),
      ]));
}

function issues(list) {
  if (!list.length) return null;
  return element("ul", { class: "issues", "aria-label": "Issues" },
    ...list.map((issue) => element("li", { title: issue.meaning },
      element("span", { class: issue.severity }, `${issue.severity}: `), issue.message, element("small", {}, ` (${issue.code})`))));
}

function picture(record) {
  const url = pictureUrl(`crop-${record.id}`);
  if (!url) return null;
  return element("div", {},
    element("h3", {}, "What the head sees"),
    element("label", {}, element("input", { type: "checkbox", checked: overlay, onchange: (event) => { overlay = event.target.checked; showRecord(); } }), " what was read, over it (O)"),
    element("div", { class: "picture" }, image(url, `Crop of the ${record.kind}`), overlay ? drawnOver(record) : null));
}

function drawnOver(record) {
  const [left, top, scale, size] = record.window;
  const SVG = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.setAttribute("aria-label", "What was read, at its place");
  const add = (tag, attributes, text = "") => {
    const node = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.textContent = text;
    svg.append(node);
  };
  const place = (bbox) => [(bbox[0] - left) * scale, (bbox[1] - top) * scale, (bbox[2] - bbox[0]) * scale, (bbox[3] - bbox[1]) * scale];
  const COLORS = { sure: "#0b57a4", unknown: "#0b57a4", unsure: "#b06000", wrong: "#c5221f" };
  const centers = new Map();
  for (const atom of record.atoms ?? []) {
    if (!atom.bbox) continue;
    const [x, y, width, height] = place(atom.bbox);
    centers.set(atom.number, [x + width / 2, y + height / 2]);
  }
  for (const [from, to] of record.bonds ?? []) {
    if (!centers.has(from) || !centers.has(to)) continue;
    const [[x1, y1], [x2, y2]] = [centers.get(from), centers.get(to)];
    add("line", { x1, y1, x2, y2, stroke: "#0b57a4", "stroke-width": 4, "stroke-opacity": 0.6 });
  }
  for (const part of [...(record.lines ?? []).flat(), ...(record.cells ?? []), ...(record.atoms ?? [])]) {
    if (!part.bbox) continue;
    const [x, y, width, height] = place(part.bbox);
    const color = COLORS[level(part.confidence)];
    add("rect", { x, y, width, height, fill: color, "fill-opacity": 0.12, stroke: color, "stroke-width": 1.5 });
    const text = part.symbol === "C" ? "" : part.symbol ?? part.text;
    if (text) add("text", { x, y: y + height * 0.8, "font-size": Math.max(9, Math.min(height * 0.85, 40)), textLength: Math.max(width, 4), lengthAdjust: "spacingAndGlyphs", fill: color }, text);
  }
  return svg;
}

function rendering(record) {
  const corrected = validCorrection(record.id)?.content;
  switch (record.kind) {
    case "table":
      return gridTable(corrected ? gridOf(corrected).cells : record.cells.map((cell) => ({ ...cell, header: cell.is_header })));
    case "text":
      return corrected ? element("pre", {}, corrected) : textLines(record);
    case "molecule":
    case "score": {
      const url = corrected ? null : pictureUrl(`drawing-${record.id}`);
      const drawing = element("div", {}, url ? element("div", {}, drawingImage(url, record)) : null);
      if (corrected && data.serves) draw(record, corrected, drawing);
      return element("div", {}, drawing, element("pre", {}, contentNow(record)), facts(record), measures(record));
    }
    default:
      return element("pre", {}, record.content || record.native_text || record.brief);
  }
}

function textLines(record) {
  const words = (line) => line.flatMap((word) => [element("span", { class: partClass(word), title: percent(word.confidence) }, word.text), " "]);
  return element("div", {}, ...(record.lines.flat().length ? record.lines.map((line) => element("div", { dir: "auto" }, ...words(line))) : [element("pre", {}, record.content)]));
}

function drawingImage(url, record) {
  const node = image(url, `${record.kind} as it was read, drawn anew`);
  node.className = "drawing";
  return node;
}

function facts(record) {
  const entries = Object.entries(record.facts);
  return entries.length ? element("p", {}, ...entries.map(([name, value]) => element("span", { class: "chip" }, `${name} ${value}`))) : null;
}

function measures(record) {
  const doubtful = (record.measures ?? []).map((measure, at) => [at + 1, measure.confidence]).filter(([, value]) => value !== null && value < data.doubtful);
  return doubtful.length ? element("p", {}, "Measures that are not sure: ", doubtful.map(([number, value]) => `${number} (${percent(value)})`).join(", ")) : null;
}

async function draw(record, content, node) {
  try {
    const answer = await ask("draw", { record: record.id, content });
    const parts = [];
    if (answer.drawing) parts.push(drawingImage(blobUrl(new TextEncoder().encode(answer.drawing), true), record));
    parts.push(element("p", {}, answer.error || answer.brief));
    node.replaceChildren(...parts);
  } catch (error) {
    node.replaceChildren(element("p", {}, error.message));
  }
}

function sources(record) {
  const rows = [];
  const add = (who, text, note = "") => { if (text) rows.push(element("tr", {}, element("th", { scope: "row" }, who), element("td", {}, element("pre", {}, text), note ? element("small", {}, note) : null))); };
  add("believed", record.evidence.join(", "));
  add(record.head ? `model, head ${record.head}` : "model", record.raw, `${record.checkpoint ?? ""} ended by ${record.finish_reason}, ${record.n_tokens} tokens`);
  add("the PDF's own words", record.native_text);
  for (const other of record.alternatives) add(other.source, other.content, other.reason);
  for (const attempt of record.attempts) add(`asked: ${attempt.setting}`, `${attempt.finish_reason}, ${attempt.n_tokens} tokens${attempt.believed ? ", believed" : ""}`);
  if (record.read_back) add("read back", record.read_back.similarity === null ? record.read_back.reason : `similarity ${record.read_back.similarity.toFixed(2)}`, record.read_back.method);
  add("region", record.region_evidence.join("; "), record.region_score === null ? "" : `${percent(record.region_score)} sure that it is one`);
  return rows.length ? [element("h3", {}, "What each source said"), element("table", { class: "sources" }, ...rows)] : [];
}

// ---- editing

function startEdit() {
  if (!current?.can_correct || editor) return;
  editor = current.kind === "table" ? tableEditor(contentNow(current)) : plainEditor(current);
  showRecord();
}

function leaveEdit() {
  editor = null;
  showRecord();
  get("record").querySelector("h2").focus();
}

async function keepEdit() {
  const content = editor.content();
  if (!content.trim()) { say("There is nothing in it: reject the record instead."); return; }
  const [kept, record] = [editor, current];
  leaveEdit();
  if (await correct(record, "corrected", content)) return;
  // It is refused: the change is there again, unless the person is elsewhere by now.
  if (current === record && !editor) { editor = kept; showRecord(); }
}

function plainEditor(record) {
  const area = element("textarea", { "aria-label": `Content of the ${record.kind}`, spellcheck: "false" });
  area.value = contentNow(record);
  const drawing = element("div", { "aria-live": "polite" });
  const drawn = record.kind === "molecule" || record.kind === "score";
  let timer = 0;
  if (drawn && data.serves) area.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(() => draw(record, area.value, drawing), 400); });
  else if (drawn) drawing.append(element("p", {}, "It is drawn as you type, and checked, where docai serves this page: docai view RESULT --serve. Here it is checked when the corrections are used."));
  const url = pictureUrl(`crop-${record.id}`);
  return {
    node: element("div", {}, url ? element("div", { class: "picture" }, image(url, "Crop")) : null, area, drawing),
    content: () => area.value,
    focus: () => area.focus(),
  };
}

// ---- keys

document.addEventListener("keydown", (event) => {
  if (editor) {
    if (event.key === "Escape") { event.preventDefault(); leaveEdit(); }
    else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); keepEdit(); }
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog[open]")) return;
  const acts = {
    n: nextDoubtful, j: () => step(1), k: () => step(-1), s: save, "?": () => get("help").showModal(),
    o: () => { overlay = !overlay; showRecord(); }, e: startEdit,
    a: () => current?.can_correct && accept(current),
    r: () => current?.can_correct && correct(current, "rejected"),
    u: () => current && validCorrection(current.id) && correct(current, "undone"),
  };
  const act = acts[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (act) { event.preventDefault(); act(); }
});

window.addEventListener("beforeunload", (event) => { if (unsaved || editor) event.preventDefault(); });

function start() {
  for (const kind of new Set(data.records.map((record) => record.kind))) get("kind").append(element("option", { value: kind }, kind));
  try { get("who").value = localStorage.getItem("docai who") ?? ""; } catch { /* no storage */ }
  get("who").addEventListener("change", () => { try { localStorage.setItem("docai who", get("who").value); } catch { /* no storage */ } });
  get("next-doubtful").addEventListener("click", nextDoubtful);
  get("next").addEventListener("click", () => step(1));
  get("previous").addEventListener("click", () => step(-1));
  get("save").addEventListener("click", save);
  get("show-help").addEventListener("click", () => get("help").showModal());
  if (data.missing) say(data.missing);
  restore();
  layOutPages();
  count();
  showRecord();
  const chosen = decodeURIComponent(location.hash.slice(1));
  if (records.has(chosen)) select(chosen);
}
