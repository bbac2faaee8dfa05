/* Lines: the history of each row, as a small chart. Each is asked for again after a minute, at most so many in a minute. */

const LINE_PERIODS = 14, LINES_A_MINUTE = 20, LINES_KEPT = 200, LINE_OLD_MS = 60000;

const lines = {kept: new Map(), budget: LINES_A_MINUTE, isBusy: false};

/* Days where they are kept, else what is. */
const lineKind = () => ["day", "hour", "week", "month"].find(kind => keptPeriods().includes(kind));

const lineKey = (role, id) => `${role} ${id}`;

function showLine(row, role, item) {
  const line = lines.kept.get(lineKey(role, itemId(item)));
  if (!line?.values.length || row.shownLine === line) return;
  row.shownLine = line;
  row.line.replaceChildren(sparkline(line.values));
}

/* The rows that are seen and have no line, or the oldest. */
function dueLines() {
  const rows = Object.values(boards).flatMap(({role, items}) => (items ?? []).map(item => ({role, id: itemId(item)})));
  const at = ({role, id}) => lines.kept.get(lineKey(role, id))?.at ?? 0, now = Date.now();
  return rows.filter(row => now - at(row) > LINE_OLD_MS).sort((a, b) => at(a) - at(b));
}

async function renewLines() {
  if (lines.isBusy || !lineKind()) return;
  lines.isBusy = true;
  for (const row of dueLines().slice(0, lines.budget)) {
    if (document.hidden || !isConnected()) break;
    lines.budget--;
    await renewLine(row).catch(() => {}); // asked for again in a minute
  }
  lines.isBusy = false;
}

async function renewLine({role, id}) {
  const key = lineKey(role, id), path = `scores/${role}/${encodeURIComponent(id)}/history`;
  keepLine(key, lines.kept.get(key)?.values ?? []); // also one that fails is not asked for at once
  const got = await fetchJson(`${path}?kind=${lineKind()}&limit=${LINE_PERIODS}`);
  if (!got) return;
  const values = got.items.map(item => item.score).reverse();
  keepLine(key, [...Array(LINE_PERIODS - values.length).fill(0), ...values]);
  const board = boards[role], item = board.items?.find(one => itemId(one) === id);
  if (item) showLine(board.rows.get(id), role, item);
}

/* The one that was renewed longest ago makes room. */
function keepLine(key, values) {
  lines.kept.delete(key);
  lines.kept.set(key, {values, at: Date.now()});
  if (lines.kept.size > LINES_KEPT) lines.kept.delete(lines.kept.keys().next().value);
}

function refillLines() {
  lines.budget = LINES_A_MINUTE;
  renewLines();
}
