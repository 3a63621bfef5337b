// Tables: their grid, and its editor. A grid is {cells, rows, cols}; a cell covers row … row + row_span - 1.

function gridOf(html) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const taken = new Set();
  const cells = [];
  let rows = 0, cols = 0;
  [...page.querySelectorAll("tr")].forEach((line, row) => {
    let col = 0;
    for (const node of line.cells) {
      while (taken.has(`${row} ${col}`)) col += 1;
      const marks = [...node.querySelectorAll("sup")].map((mark) => mark.textContent).join(",");
      for (const mark of node.querySelectorAll("sup")) mark.remove();
      const cell = {
        row, col, row_span: node.rowSpan, col_span: node.colSpan, text: node.textContent, marks,
        header: node.tagName === "TH" || node.parentNode.parentNode.tagName === "THEAD",
      };
      for (const [r, c] of covered(cell)) taken.add(`${r} ${c}`);
      cells.push(cell);
      rows = Math.max(rows, row + cell.row_span);
      cols = Math.max(cols, col + cell.col_span);
      col += cell.col_span;
    }
  });
  return { cells, rows, cols };
}

function covered(cell) {
  const places = [];
  for (let r = cell.row; r < cell.row + cell.row_span; r += 1) for (let c = cell.col; c < cell.col + cell.col_span; c += 1) places.push([r, c]);
  return places;
}

function escaped(text) { return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;"); }

function htmlOf(grid) {
  const lines = [];
  for (let row = 0; row < grid.rows; row += 1) {
    const own = grid.cells.filter((cell) => cell.row === row).sort((a, b) => a.col - b.col);
    const parts = own.map((cell) => {
      const tag = cell.header ? "th" : "td";
      const spans = (cell.row_span > 1 ? ` rowspan="${cell.row_span}"` : "") + (cell.col_span > 1 ? ` colspan="${cell.col_span}"` : "");
      return `<${tag}${spans}>${escaped(cell.text.trim())}${cell.marks ? `<sup>${escaped(cell.marks)}</sup>` : ""}</${tag}>`;
    });
    lines.push(`<tr>${parts.join("")}</tr>`);
  }
  return `<table><tbody>${lines.join("")}</tbody></table>`;
}

function byRow(cells) {
  const lines = [];
  for (const cell of cells) (lines[cell.row] ??= []).push(cell);
  return lines;
}

function gridTable(cells) {
  const line = (own) => element("tr", {}, ...(own ?? []).map((cell) => element(cell.header ? "th" : "td",
    { rowSpan: cell.row_span, colSpan: cell.col_span, class: partClass(cell), title: percent(cell.confidence) },
    cell.text, cell.marks?.length ? element("sup", {}, [cell.marks].flat().join(",")) : null)));
  return element("table", { class: "read" }, ...Array.from(byRow(cells), line));
}

// Rows and columns are changed by the same functions, on the names of their fields.
const ROW = { at: "row", span: "row_span", n: "rows", other: "col", other_span: "col_span", n_other: "cols" };
const COLUMN = { at: "col", span: "col_span", n: "cols", other: "row", other_span: "row_span", n_other: "rows" };

function insertAfter(grid, axis, at) {
  const across = new Set();
  for (const cell of grid.cells) {
    const last = cell[axis.at] + cell[axis.span] - 1;
    if (cell[axis.at] > at) cell[axis.at] += 1;
    else if (last > at) {
      cell[axis.span] += 1;
      for (let k = 0; k < cell[axis.other_span]; k += 1) across.add(cell[axis.other] + k);
    }
  }
  grid[axis.n] += 1;
  for (let k = 0; k < grid[axis.n_other]; k += 1) {
    if (!across.has(k)) grid.cells.push({ row_span: 1, col_span: 1, text: "", marks: "", header: false, [axis.at]: at + 1, [axis.other]: k });
  }
}

function remove(grid, axis, at) {
  if (grid[axis.n] === 1) return "A table has one row and one column at least: reject the record instead.";
  grid.cells = grid.cells.filter((cell) => cell[axis.at] !== at || cell[axis.span] > 1);
  for (const cell of grid.cells) {
    if (cell[axis.at] > at) cell[axis.at] -= 1;
    else if (cell[axis.at] + cell[axis.span] > at) cell[axis.span] -= 1;
  }
  grid[axis.n] -= 1;
  return "";
}

function merge(grid, axis, cell) {
  const next = grid.cells.find((one) => one[axis.at] === cell[axis.at] + cell[axis.span] && one[axis.other] === cell[axis.other]);
  if (!next || next[axis.other_span] !== cell[axis.other_span]) return "There is no cell of the same size beside it: split the larger one first.";
  cell[axis.span] += next[axis.span];
  cell.text = [cell.text, next.text].filter(Boolean).join(" ");
  cell.marks = [cell.marks, next.marks].filter(Boolean).join(",");
  grid.cells = grid.cells.filter((one) => one !== next);
  return "";
}

function split(grid, cell) {
  const places = covered(cell).slice(1);
  cell.row_span = cell.col_span = 1;
  for (const [row, col] of places) grid.cells.push({ row, col, row_span: 1, col_span: 1, text: "", marks: "", header: cell.header });
}

function tableEditor(html) {
  const grid = gridOf(html);
  let at = grid.cells[0];
  const place = element("div", { class: "edited" });
  const act = (text, change) => element("button", {
    type: "button",
    onclick: () => {
      say((at && change(at)) || "");
      if (!grid.cells.includes(at)) at = grid.cells.find((cell) => cell.row === Math.min(at.row, grid.rows - 1)) ?? grid.cells[0];
      show();
    },
  }, text);
  function show() {
    const line = (own) => element("tr", {}, ...(own ?? []).sort((a, b) => a.col - b.col).map((cell) => {
      const area = element("textarea", { class: "cell", rows: 1, "aria-label": `Row ${cell.row + 1}, column ${cell.col + 1}`, spellcheck: "false", onfocus: () => { at = cell; }, oninput: (event) => { cell.text = event.target.value; } });
      area.value = cell.text;
      area.style.minHeight = "2.2em";
      area.addEventListener("keydown", (event) => move(event, cell));
      cell.area = area;
      return element(cell.header ? "th" : "td", { rowSpan: cell.row_span, colSpan: cell.col_span }, area);
    }));
    place.replaceChildren(element("table", { class: "read" }, ...Array.from(byRow(grid.cells), line)));
    at?.area?.focus();
  }
  function move(event, cell) {
    const by = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!by || !event.altKey) return;
    event.preventDefault();
    const row = by[0] > 0 ? cell.row + cell.row_span : cell.row + by[0];
    const col = by[1] > 0 ? cell.col + cell.col_span : cell.col + by[1];
    grid.cells.find((one) => covered(one).some(([r, c]) => r === row && c === col))?.area.focus();
  }
  show();
  const tools = element("div", { class: "actions", role: "toolbar", "aria-label": "Grid" },
    act("Row below", (cell) => insertAfter(grid, ROW, cell.row + cell.row_span - 1)),
    act("Column right", (cell) => insertAfter(grid, COLUMN, cell.col + cell.col_span - 1)),
    act("Delete row", (cell) => remove(grid, ROW, cell.row)),
    act("Delete column", (cell) => remove(grid, COLUMN, cell.col)),
    act("Join right", (cell) => merge(grid, COLUMN, cell)),
    act("Join below", (cell) => merge(grid, ROW, cell)),
    act("Split", (cell) => split(grid, cell)),
    act("Header on/off", (cell) => { cell.header = !cell.header; }));
  return {
    node: element("div", {}, tools, element("p", {}, "Alt with an arrow key goes from cell to cell."), place),
    content: () => htmlOf(grid),
    focus: () => at?.area?.focus(),
  };
}
