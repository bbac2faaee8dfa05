/* Strip: what the shop sold in all and today, how fast it sells, and a small history. Asked for gently. */

const STRIP_MS = 10000, STRIP_FIRST_MS = 5000;
const STRIP_OLD_MS = 3000, STRIP_AGAIN_MS = 500;
const STRIP_HISTORY_MS = 60000;
const RATE_MS = 60000; // the rate is that of the last minute
const HISTORIES = {
  hour: {limit: 24, words: "Last 24 hours"},
  day: {limit: 14, words: "Last 14 days"},
  week: {limit: 12, words: "Last 12 weeks"},
  month: {limit: 12, words: "Last 12 months"},
};

/* `samples`: totals of the last minute and when each was right, oldest first. `sold`: in the period that is shown, and which that is. */
const strip = {timer: null, turn: 0, samples: [], sold: null, soldOf: null, historyAt: 0};

async function renewStrip() {
  const turn = ++strip.turn;
  clearTimeout(strip.timer);
  await null; // of calls at once only the last counts
  if (strip.turn !== turn) return;
  if (!document.hidden && isConnected()) await askStrip().catch(() => {}); // kept as it is until the next time
  if (strip.turn === turn) strip.timer = setTimeout(renewStrip, strip.samples.length < 2 ? STRIP_FIRST_MS : STRIP_MS);
}

async function askStrip() {
  const kinds = keptPeriods(), {shown} = periods;
  const [all, today] = await Promise.all(["all", dayKind()].map(askSold));
  if (today) noteUnderWay(today.period);
  showSold("sold-all", all);
  if (kinds.includes("day")) showSold("sold-today", today);
  showRate(all);
  noteSold(shown, shown === "all" ? all : shown === dayKind() ? today : await askSold(shown));
  await renewHistory(HISTORY_KINDS.find(kind => kinds.includes(kind)));
}

const HISTORY_KINDS = ["hour", "day", "week", "month"];

/* The answer may be one that was asked for long ago, while the server makes a new one: then that is asked for. */
async function askSold(period) {
  if (period === null) return null;
  const path = period === "all" ? "sales" : `sales?period=${period}`;
  const ask = () => fetchJson(path).then(got => got && {sold: got.sales, period: got.period, asOf: Date.parse(got.asOf ?? "")});
  const got = await ask();
  if (!got || got.asOf > (freshness.asOf ?? 0) - STRIP_OLD_MS) return got;
  await new Promise(resolve => setTimeout(resolve, STRIP_AGAIN_MS));
  return ask();
}

function showSold(id, got) {
  if (!got) return;
  hide(byId(id).parentElement, false);
  showSize(byId(id), got.sold);
}

/* By the difference of totals: also right where this process counts only some of the sales. After a gap it begins anew. */
function showRate(got) {
  const {samples} = strip;
  if (!got?.asOf || got.asOf <= samples.at(-1)?.asOf) return;
  if (got.asOf - samples.at(-1)?.asOf > RATE_MS) {
    samples.length = 0;
    setTextAndSpeech(byId("sold-rate"), "\u2013", "not known yet");
  }
  samples.push(got);
  while (samples.length > 2 && got.asOf - samples[1].asOf >= RATE_MS) samples.shift();
  const [first] = samples, minutes = (got.asOf - first.asOf) / 60000;
  if (minutes > 0) showSize(byId("sold-rate"), Math.max(0, Math.round((got.sold - first.sold) / minutes)));
}

function noteSold(period, got) {
  if (period !== periods.shown) return; // a slow answer
  Object.assign(strip, {sold: got?.sold ?? null, soldOf: period});
  for (const board of Object.values(boards))
    for (const item of board.items ?? []) showScore(board.rows.get(itemId(item)), item, board.items[0].score);
}

/* All that was sold in the period of the boards; null while that is not known. */
function soldIn() {
  return strip.soldOf === periods.shown ? strip.sold : null;
}

async function renewHistory(kind) {
  if (!kind || Date.now() - strip.historyAt < STRIP_HISTORY_MS) return;
  const {limit, words} = HISTORIES[kind], got = await fetchJson(`sales/history?kind=${kind}&limit=${limit}`);
  if (!got) return;
  strip.historyAt = Date.now();
  const values = got.items.map(item => item.sales).reverse(), most = Math.max(0, ...values);
  hide(byId("sold-history").parentElement, false);
  setText(byId("sold-history-title"), words);
  const spoken = make("span", "spoken", `Most in one ${kind}: ${number.format(most)}; now ${number.format(values.at(-1) ?? 0)}.`);
  byId("sold-history").replaceChildren(sparkline([...Array(limit - values.length).fill(0), ...values]), spoken);
}
