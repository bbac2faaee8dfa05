/* Lines: the history of each row that is seen and has room for it, as a small chart. Each is asked for again after some
 * minutes, at most so many in a minute: as many as all screens of a wall have in their first one. */

const LINE_PERIODS = 14, LINES_A_MINUTE = 40, LINES_KEPT = 200, LINES_MS = 60000, LINE_OLD_MS = 180000;

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

const hasRoom = ({line}) => line.checkVisibility({visibilityProperty: true}) && line.clientWidth > 0;

/* The row that has no line, or the oldest, if it is time to ask for it. */
function dueLine() {
  const rows = Object.values(boards).flatMap(({role, rows}) => [...rows].map(([id, row]) => ({role, id, row})));
  const at = ({role, id}) => lines.kept.get(lineKey(role, id))?.at ?? 0, now = Date.now();
  const due = rows.filter(one => now - at(one) > LINE_OLD_MS && hasRoom(one.row));
  return due.sort((a, b) => at(a) - at(b))[0];
}

async function renewLines() {
  if (lines.isBusy || !lineKind()) return;
  lines.isBusy = true;
  while (lines.budget > 0 && !document.hidden && isConnected()) {
    const due = dueLine();
    if (!due) break;
    lines.budget--;
    await renewLine(due).catch(() => {}); // asked for again when it is old
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
