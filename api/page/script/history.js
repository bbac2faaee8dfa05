/* What somebody, or a product, sold in each period: a chart, and the same as a table. Periods are in UTC. */

const HISTORY_MOST = 30, HISTORY_LEAST = 10; // bars, and room for bars
const KINDS = ["hour", "day", "week", "month"];
const KIND_WORDS = {hour: "Hours", day: "Days", week: "Weeks", month: "Months"};
const NOW_WORDS = {all: "All time", hour: "This hour", day: "Today", week: "This week", month: "This month"};
const BAR = {width: 10, gap: 2.5, height: 60};

const utc = options => new Intl.DateTimeFormat(undefined, {timeZone: "UTC", ...options});
const PERIOD_FORMATS = {
  hour: utc({day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23"}),
  day: utc({day: "numeric", month: "short"}),
  month: utc({month: "short", year: "numeric"}),
};

/* A period's name in short words. */
function periodLabel(name) {
  const kind = kindOf(name);
  if (kind === "week") return `Week ${name.slice(6)}, ${name.slice(0, 4)}`;
  return PERIOD_FORMATS[kind].format(new Date(kind === "hour" ? `${name}:00Z` : `${name}`));
}

const periodName = period => NOW_WORDS[period] ?? periodLabel(period);
const isUnderWay = ({next, final}) => next === null && final !== true;
const barLabel = ({period}) => (isUnderWay(period) ? `${NOW_WORDS[period.kind]} so far` : periodLabel(period.id));

function drawn(name, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawBar(item, at, most) {
  const height = item.score ? Math.max(1, (item.score / most) * BAR.height) : 0;
  const title = drawn("title", {}, `${barLabel(item)}: ${number.format(item.score)}`);
  return drawn("rect", {
    class: isUnderWay(item.period) ? "bar-now" : "bar-then",
    x: at * BAR.width + BAR.gap / 2, y: BAR.height - height, width: BAR.width - BAR.gap, height,
  }, title);
}

/* The oldest is at the left; the newest touches the right end. */
function drawChart(svg, items, room, most) {
  svg.setAttribute("viewBox", `0 0 ${room * BAR.width} ${BAR.height}`);
  svg.replaceChildren(...items.map((item, n) => drawBar(item, room - 1 - n, most)));
}

function chartWords(kind, items, best) {
  const points = [`Most: ${number.format(best.score)}, ${barLabel(best)}`, `${barLabel(items[0])}: ${number.format(items[0].score)}`];
  return `Sold in ${items.length} ${KIND_WORDS[kind].toLowerCase()}. ${points.join(". ")}.`;
}

function showTable(body, items) {
  body.replaceChildren(...items.map(item => {
    const name = make("th", "", barLabel(item));
    name.scope = "row";
    return make("tr", "", name, make("td", "", number.format(item.score)));
  }));
}

function showHistory(part, kind, items) {
  const best = items.reduce((most, item) => (item.score > most.score ? item : most)), drawing = JSON.stringify(items);
  if (part.drawing === drawing) return;
  part.drawing = drawing;
  const room = Math.max(items.length, HISTORY_LEAST);
  part.axis.style.paddingInlineStart = `${100 * (1 - items.length / room)}%`; // below the first bar
  part.svg.setAttribute("aria-label", chartWords(kind, items, best));
  drawChart(part.svg, items, room, Math.max(1, best.score));
  setText(part.most, number.format(best.score));
  setText(part.first, items.length > 1 ? barLabel(items.at(-1)) : "");
  setText(part.last, barLabel(items[0]));
  showTable(part.rows, items);
}

/* The kind that the reader chose, else that of the boards, else days, else the shortest. */
function chosenKind(part, kept) {
  const wanted = [part.kind, kindOf(shownPeriod()), "day"];
  return wanted.find(kind => kept.includes(kind)) ?? kept[0];
}

function showKinds(part, kept, chosen) {
  hide(part.kinds, kept.length < 2);
  for (const [kind, button] of part.buttons) {
    hide(button, !kept.includes(kind));
    button.setAttribute("aria-pressed", kind === chosen);
  }
}

/* `score`: of all time. While it stays, only the turn of a period changes anything. */
async function refreshHistory(part, score) {
  const kept = keptPeriods(), kind = chosenKind(part, kept);
  part.score = score;
  hide(part.element, !kept.length);
  if (!kept.length || !isDue(part, `${kind} ${score}`)) return;
  showKinds(part, kept, kind);
  const items = (await fetchJson(`${part.path}?kind=${kind}&limit=${HISTORY_MOST}`))?.items;
  if (chosenKind(part, kept) !== kind) return; // the reader chose another one meanwhile
  noteAsked(part);
  hide(part.figure, !items?.length);
  if (items?.length) showHistory(part, kind, items);
}

function chooseKind(part, kind) {
  part.kind = kind;
  refreshHistory(part, part.score).catch(() => {}); // the refresh of the view tries again, and says so
}

function makeKinds(part) {
  part.buttons = new Map(KINDS.map(kind => [kind, make("button", "", KIND_WORDS[kind])]));
  for (const [kind, button] of part.buttons) {
    button.type = "button";
    button.addEventListener("click", () => chooseKind(part, kind));
  }
  part.kinds = make("div", "kinds", ...part.buttons.values());
  part.kinds.setAttribute("role", "group");
  part.kinds.setAttribute("aria-label", "Chart by");
}

function makeHistory(path) {
  const part = {
    path, kind: null, svg: drawn("svg", {role: "img", preserveAspectRatio: "none"}),
    most: make("span", "most"), first: make("span"), last: make("span"), rows: make("tbody"),
  };
  makeKinds(part);
  part.axis = make("p", "axis", part.first, part.last);
  for (const label of [part.axis, part.most]) label.setAttribute("aria-hidden", "true"); // the chart's label has them
  const head = make("tr", "", make("th", "", "Period (UTC)"), make("th", "", "Sold"));
  for (const cell of head.cells) cell.scope = "col";
  const table = make("table", "", make("thead", "", head), part.rows);
  part.figure = make("div", "", part.most, part.svg, part.axis, make("details", "", make("summary", "", "As a table"), table));
  part.element = make("div", "history", make("h4", "", "History"), part.kinds, part.figure);
  hide(part.element, true);
  return part;
}
