/* Boards. */

const ROLES = ["merchant", "photographer"];
const BOARD_ROLES = [...ROLES, "product"];

const boards = Object.fromEntries(BOARD_ROLES.map(role => [role, findBoard(role)]));

function findBoard(role) {
  const section = byId(role), find = selector => section.querySelector(selector);
  return {
    role, section, table: find("table"), body: find("tbody"), notice: find(".notice"), since: find(".since"),
    empty: find(".empty"),
    items: null, // shown, in order
    period: null, asOf: null, // of the items
    rows: new Map(), // by id
  };
}

const itemId = ({id, productId}) => id ?? productId;

function makeRow(item, role) {
  const row = {
    tr: make("tr"), rank: make("td", "rank"), link: make("a"), name: make("bdi"), twin: make("small"),
    gap: make("p", "gap"), bar: make("div"), move: make("td", "move"), line: make("td", "line"),
    score: make("span", "points"), share: make("span", "share"),
  };
  row.link.href = openHref(role === "product" ? "product" : "contributor", itemId(item));
  row.link.append(make("span", "whole", row.name, row.twin));
  const bar = make("div", "bar", row.bar), name = make("th", "name", row.link, row.gap, bar);
  bar.setAttribute("aria-hidden", "true");
  row.line.setAttribute("aria-hidden", "true");
  name.scope = "row";
  row.tr.append(row.rank, name, row.move, row.line, make("td", "score", row.score, row.share));
  return row;
}

function showRow(row, board, items, at) {
  const item = items[at], id = itemId(item);
  const hasTwin = item.name !== null && items.some(other => itemId(other) !== id && other.name === item.name);
  row.tr.classList.toggle("first", item.rank === 1);
  const rank = rankText(item.rank, item.tied);
  setTextAndSpeech(row.rank, rank, item.tied ? `${number.format(item.rank)}, shared` : rank);
  setText(row.name, nameOf(item));
  setText(row.twin, hasTwin ? ` ${item.userId ?? id}` : "");
  showScore(row, item, items[0].score);
  showGap(row, items, at);
  showMove(row, item, board.role);
  showLine(row, board.role, item);
}

function showScore(row, {score}, most) {
  showSize(row.score, score);
  row.bar.style.setProperty("--share", (score / Math.max(1, most)).toFixed(3));
  const sold = soldIn();
  setTextAndSpeech(row.share, sold ? percent.format(Math.min(1, score / sold)) : "", sold ? shareWords(score, sold) : "");
}

function shareWords(score, sold) {
  return `, ${percent.format(Math.min(1, score / sold))} of all sales`;
}

/* First, last, invert, play: what moved glides from its old place, over what did not. Each element comes with the
 * rectangle in which it was seen before. All are measured before any is changed: a change lets the browser lay out anew. */
function glide(moved) {
  if (reducedMotion.matches || !moved.length) return;
  const style = getComputedStyle(document.documentElement), easing = style.getPropertyValue("--ease");
  const duration = parseFloat(style.getPropertyValue("--time-move")) * 1000;
  for (const [element] of moved) runs.get(element)?.cancel();
  const ways = moved.map(([element, from]) => wayTo(element, from)).filter(({x, y}) => Math.abs(x) + Math.abs(y) > 1);
  for (const {element, x, y} of ways) {
    element.dataset.moving = "";
    const run = element.animate([{transform: `translate(${x}px, ${y}px)`}, {transform: "none"}], {duration, easing});
    runs.set(element, run);
    run.finished.then(() => delete element.dataset.moving, () => {}); // cancelled: it moves again
  }
}

const runs = new WeakMap(); // animations by element

function wayTo(element, from) {
  const to = element.getBoundingClientRect();
  return {element, x: from.left - to.left, y: from.top - to.top};
}

const isEqual = (some, others) => some.length === others.length && some.every((one, at) => one === others[at]);

/* An element that moves loses the focus, and gets it back. That of a row which left goes to the row in its place. */
function restoreFocus(board, focused, at) {
  const {rows} = board.body, next = rows[Math.min(at, rows.length - 1)]?.querySelector("a");
  if (document.activeElement !== focused) (focused.isConnected ? focused : next ?? byId("boards")).focus({preventScroll: true});
}

/* Puts the rows in the order of the items. */
function arrange(board, items) {
  const focused = document.activeElement, focusedAt = [...board.body.rows].findIndex(tr => tr.contains(focused));
  const shown = new Set(items.map(item => board.rows.get(itemId(item))));
  if (isEqual([...shown].map(row => row.tr), [...board.body.children])) return;
  const kept = [...shown].filter(row => row.tr.isConnected).map(({tr}) => [tr, tr.getBoundingClientRect()]);
  let at = board.body.firstElementChild;
  for (const {tr} of shown) {
    if (tr === at) at = at.nextElementSibling;
    else board.body.insertBefore(tr, at);
  }
  for (const [id, row] of board.rows) {
    if (shown.has(row)) continue;
    row.tr.remove();
    board.rows.delete(id);
  }
  restoreFocus(board, focused, focusedAt);
  glide(kept);
}

function showEmptiness(board) {
  const isEmpty = !board.items?.length;
  hide(board.table, isEmpty);
  hide(board.empty, !isEmpty);
  if (!isEmpty || board.items === null) return;
  const isOver = board.period?.next;
  setText(board.empty, isOver ? "Nothing was sold in this time."
    : isStale() ? "Nothing is counted yet."
    : `Nobody has sold anything${periodWords() || " yet"}. The first purchase appears here by itself.`);
}

/* The boards are of another period, or of another day: nothing glides, and nobody "now leads". */
function clearBoard(board) {
  Object.assign(board, {items: null, period: null, asOf: null});
  if (board.body.contains(document.activeElement)) byId("boards").focus({preventScroll: true});
  board.rows.clear();
  board.body.replaceChildren();
  setText(board.empty, "Loading the board.");
  setText(board.since, "");
  showEmptiness(board);
}

function clearBoards() {
  Object.values(boards).forEach(clearBoard);
}

/* Until something can be shown the boards keep their place. */
function revealBoards() {
  byId("boards").removeAttribute("aria-busy");
}

function showBoard({role, items, period, asOf}) {
  const board = boards[role];
  if (!isShown(period)) return holdBoard({role, items, period, asOf});
  if (board.items && board.period?.id !== period?.id) clearBoard(board);
  showPeriod(period);
  followMovement({role, items, period});
  for (const [at, item] of items.entries()) {
    if (!board.rows.has(itemId(item))) board.rows.set(itemId(item), makeRow(item, role));
    showRow(board.rows.get(itemId(item)), board, items, at);
  }
  const digits = Math.max(...items.map(item => digitsOf(item.score)));
  board.table.style.setProperty("--most-digits", Math.max(3, digits));
  arrange(board, items);
  announceChanges(board, items);
  Object.assign(board, {items, period, asOf});
  showSince(board);
  showEmptiness(board);
  revealBoards();
  renewLines();
}
