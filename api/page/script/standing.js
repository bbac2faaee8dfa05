/* Where somebody, or a product, stands on a board: score and rank of all time and of the period that the page shows,
 * and the rows around. */

const AROUND = 5;
const percentOf = new Intl.NumberFormat(undefined, {style: "percent", maximumFractionDigits: 1});
const withPeriod = (path, period) => (period === "all" ? path : `${path}${path.includes("?") ? "&" : "?"}period=${period}`);

/* Rounded down: who is not ahead of all is not ahead of 100 %. Those at the same score count in the percentile. */
function percentileWords({rank, tied, of, percentile}) {
  if (of === null) return "How many take part is known in a moment";
  if (of === 1) return "Nobody else is on the board";
  if (rank === 1) return tied ? "Nobody is ahead" : "Ahead of everybody else";
  if (rank === of) return "Nobody is behind";
  return `Ahead of ${tied ? "or level with " : ""}${percentOf.format(Math.floor(percentile * 10) / 1000)}`;
}

function placeWords({rank, tied, of}) {
  const all = of === null ? "" : ` of ${number.format(of)}`;
  return `Rank ${number.format(rank)}${all}${tied ? ", shared" : ""}`;
}

function makeFigure() {
  const title = make("h4"), large = make("p", "large"), rank = make("p"), more = make("p", "more");
  return {element: make("div", "figure", title, large, rank, more), title, large, rank, more};
}

function showFigure(figure, title, row) {
  const isRanked = row.score > 0 && row.rank !== null;
  setText(figure.title, title);
  setText(figure.large, row.score ? `${number.format(row.score)} sold` : "Nothing sold");
  setText(figure.rank, isRanked ? placeWords(row) : row.score ? "Rank known in a moment" : "");
  setText(figure.more, isRanked ? percentileWords(row) : "");
}

function makeNeighbour(item, id) {
  const isSelf = itemId(item) === id, rank = make("span", "rank"), score = make("span", "score");
  const kind = item.productId ? "product" : "contributor";
  const name = isSelf ? make("strong", "", make("bdi", "", nameOf(item))) : link(kind, itemId(item), nameOf(item));
  name.classList.add("name");
  const element = make("li", "", rank, name, score);
  if (isSelf) element.setAttribute("aria-current", "true");
  return {element, rank, score};
}

/* Rows that stay are the same elements, and one that has the focus keeps it. */
function showNeighbours(part, items) {
  const focused = document.activeElement, before = part.neighbours;
  part.neighbours = new Map(items.map(item => [itemId(item), before.get(itemId(item)) ?? makeNeighbour(item, part.id)]));
  for (const item of items) {
    const row = part.neighbours.get(itemId(item));
    const rank = item.rank === null ? "" : rankText(item.rank, item.tied);
    setTextAndSpeech(row.rank, rank, item.tied ? `${rank.slice(1)}, shared` : rank);
    setText(row.score, number.format(item.score));
  }
  const order = [...part.neighbours.values()].map(row => row.element);
  if (order.some((element, n) => element !== part.list.children[n]) || part.list.children.length !== order.length)
    part.list.replaceChildren(...order);
  if (focused !== document.activeElement && focused.isConnected) focused.focus({preventScroll: true});
}

function showDistance(gap, items, id) {
  const at = items.findIndex(item => itemId(item) === id), self = items[at];
  const above = items.slice(0, at).reverse().find(item => item.score > self.score);
  const level = items.find(item => item !== self && item.score === self.score);
  const other = above ?? level ?? items[at + 1];
  if (!other) return setText(gap, "");
  const by = Math.abs(other.score - self.score), name = make("bdi", "", nameOf(other));
  const text = by ? `${number.format(by)} ${above ? "behind" : "ahead of"} ` : "Level with ";
  if (gap.textContent !== text + name.textContent) gap.replaceChildren(text, name);
}

/* A period without a sale has no row to stand around: all time has. */
async function refreshAround(part, period) {
  const path = `scores/${part.role}?around=${encodeURIComponent(part.id)}&limit=${AROUND}`;
  const items = (await fetchJson(withPeriod(path, period)))?.items ?? [];
  const isThere = items.some(item => itemId(item) === part.id);
  hide(part.around, !isThere || items.length < 2);
  if (!isThere) return;
  setText(part.aroundTitle, `On the board: ${periodName(period)}`);
  showNeighbours(part, items);
  showDistance(part.gap, items, part.id);
}

async function refreshStanding(part) {
  const period = shownPeriod(), path = `scores/${part.role}/${encodeURIComponent(part.id)}`;
  const [all, now] = await Promise.all([
    fetchJson(path), period === "all" ? null : fetchJson(withPeriod(path, period)),
  ]);
  hide(part.element, !all);
  if (!all) return;
  showFigure(part.all, "All time", all);
  hide(part.now.element, !now);
  if (now) showFigure(part.now, periodName(period), now);
  await Promise.all([refreshAround(part, now?.score ? period : "all"), refreshHistory(part.history, all.score)]);
}

function makeStanding(role, id) {
  const part = {
    role, id, all: makeFigure(), now: makeFigure(), neighbours: new Map(), list: make("ol"), gap: make("p", "more"),
    aroundTitle: make("h4"), history: makeHistory(`scores/${role}/${encodeURIComponent(id)}/history`),
  };
  part.around = make("div", "around", part.aroundTitle, part.gap, part.list);
  hide(part.around, true);
  const figures = make("div", "figures", part.now.element, part.all.element);
  part.element = make("div", "standing", figures, part.around, part.history.element);
  hide(part.element, true);
  return part;
}
