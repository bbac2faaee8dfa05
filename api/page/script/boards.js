/* Boards. */

const ROLES = ["merchant", "photographer"];
const MOVE_MS = 180;

const boards = Object.fromEntries(ROLES.map(role => [role, findBoard(role)]));

function findBoard(role) {
  const section = byId(role), find = selector => section.querySelector(selector);
  return {
    role, section, table: find("table"), body: find("tbody"), notice: find(".notice"), empty: find(".empty"),
    items: null, // shown, in order
    rows: new Map(), // by id
    opened: null, // items by id when the page was opened
  };
}

function makeRow(item) {
  const row = {
    tr: make("tr"), rank: make("td", "rank"), link: make("a"), name: make("span"), twin: make("small"),
    bar: make("div"), move: make("td", "move"), score: make("span"), gain: make("span", "gain"),
  };
  row.link.href = openHref("contributor", item.id);
  row.link.append(row.name, row.twin);
  const bar = make("div", "bar", row.bar), name = make("th", "", row.link, bar);
  bar.setAttribute("aria-hidden", "true");
  name.scope = "row";
  row.tr.append(row.rank, name, row.move, make("td", "score", row.score, row.gain));
  return row;
}

function showMove(row, item, opened) {
  const ranks = opened ? opened.rank - item.rank : 0;
  row.move.classList.toggle("up", ranks > 0);
  row.move.classList.toggle("down", ranks < 0);
  if (!opened) setTextAndSpeech(row.move, "new", "new on the board");
  else if (ranks > 0) setTextAndSpeech(row.move, `▲ ${ranks}`, `up ${ranks}`);
  else if (ranks < 0) setTextAndSpeech(row.move, `▼ ${-ranks}`, `down ${-ranks}`);
  else setTextAndSpeech(row.move, "", "not moved");
  const gain = opened ? item.score - opened.score : 0;
  setText(row.gain, gain > 0 ? `+${number.format(gain)}` : "");
}

function showRow(row, item, board, items) {
  const hasTwin = item.name !== null && items.some(other => other.id !== item.id && other.name === item.name);
  row.tr.classList.toggle("first", item.rank === 1);
  const rank = rankText(item.rank, item.tied);
  setTextAndSpeech(row.rank, rank, item.tied ? `${item.rank}, shared` : rank);
  setText(row.name, nameOf(item));
  setText(row.twin, hasTwin ? ` ${item.userId}` : "");
  setText(row.score, number.format(item.score));
  row.bar.style.setProperty("--share", (item.score / Math.max(1, items[0].score)).toFixed(3));
  showMove(row, item, board.opened.get(item.id));
}

/* First, last, invert, play: a row that moved slides from its old place. */
function slide(tops) {
  if (reducedMotion.matches) return;
  for (const [row, top] of tops) {
    const by = top - row.tr.getBoundingClientRect().top, from = {transform: `translateY(${by}px)`};
    if (Math.abs(by) > 1)
      row.tr.animate([from, {transform: "none"}], {duration: MOVE_MS, easing: "ease-out"});
  }
}

/* Puts the rows in the order of the items. An element that moves loses the focus, so the focus is restored. */
function arrange(board, items) {
  const focused = document.activeElement;
  const shown = new Set(items.map(item => board.rows.get(item.id)));
  const kept = [...shown].filter(row => row.tr.isConnected);
  const tops = kept.map(row => [row, row.tr.getBoundingClientRect().top]);
  let at = board.body.firstElementChild;
  for (const row of shown) {
    if (row.tr === at) at = at.nextElementSibling;
    else board.body.insertBefore(row.tr, at);
  }
  for (const [id, row] of board.rows) {
    if (shown.has(row)) continue;
    row.tr.remove();
    board.rows.delete(id);
  }
  if (focused !== document.activeElement && focused.isConnected) focused.focus({preventScroll: true});
  slide(tops);
}

function showEmptiness(board) {
  const isEmpty = !board.items?.length;
  hide(board.table, isEmpty);
  hide(board.empty, !isEmpty);
  if (!isEmpty || board.items === null) return;
  setText(board.empty, isStale() ? "Nothing is counted yet."
    : "Nobody has sold anything yet. The first purchase appears here by itself.");
}

function showBoard({role, items}) {
  const board = boards[role];
  if (!board) return; // of products
  board.opened ??= new Map(items.map(item => [item.id, item]));
  for (const item of items) {
    if (!board.rows.has(item.id)) board.rows.set(item.id, makeRow(item));
    showRow(board.rows.get(item.id), item, board, items);
  }
  arrange(board, items);
  announceChanges(board, items);
  board.items = items;
  showEmptiness(board);
}
