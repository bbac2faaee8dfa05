/* A page on a wall: `/?wall`, `/?wall&screens=day,week&seconds=20`. Nobody operates it, and people who pass look for some
 * seconds: few screens in a fixed order, and a mark that says which one it is. Research on such boards asks that
 * what matters most, the first screen, is never out of sight for more than half a minute. */

const SCREEN_WORDS = {
  hour: "This hour", day: "Today", week: "This week", month: "This month", all: "All time", products: "Best sellers",
};
const USUAL_SCREENS = ["day", "week", "all", "products"];
const AWAY_S = 30, DWELL_LEAST_S = 10, DWELL_USUAL_S = 15, SECONDS_LEAST = 5, SECONDS_MOST = 600;
const NOTE_MS = 10000, MARK_MS = 10000, FADE_MS = 700;
const UNKNOWN_MS = 5000; // without word of what the view keeps: it is an old server, or there is none
const PACE_MS = 1000; // between changes on the wall: one thing moves at a time
const SHIFT_MS = 180000; // between steps of the frame, so that no edge burns in
const SHIFTS = [[0, 0], [1, 0], [1, 1], [0, 1], [-1, 1], [-1, 0], [-1, -1], [0, -1], [1, -1]];

const wall = {asked: null, seconds: null, mistakes: [], screens: [], at: 0, shift: 0, turnTimer: null, noteTimer: null};
const pace = {shown: new Map(), waiting: new Map(), timer: null}; // boards by role

/* What the address asks for, and what is wrong with it. */
function readWallOptions(search) {
  const options = new URLSearchParams(search), mistakes = [];
  const words = options.get("screens")?.split(",") ?? [], unknown = words.filter(word => !(word in SCREEN_WORDS));
  const seconds = options.has("seconds") ? Number(options.get("seconds")) : null;
  const isRange = seconds === null || (seconds >= SECONDS_LEAST && seconds <= SECONDS_MOST);
  const allowed = Object.keys(SCREEN_WORDS).join(", ");
  if (unknown.length) mistakes.push(`No screen is called ${unknown.join(", ")}. There are ${allowed}.`);
  if (!isRange) mistakes.push(`seconds: allowed are ${SECONDS_LEAST} to ${SECONDS_MOST}.`);
  const asked = [...new Set(words.filter(word => word in SCREEN_WORDS))];
  return {asked: asked.length ? asked : null, seconds: isRange ? seconds : null, mistakes};
}

function noteOnWall(text) {
  clearTimeout(wall.noteTimer);
  setText(byId("wall-note"), text);
  hide(byId("wall-note"), !text);
  if (text) wall.noteTimer = setTimeout(noteOnWall, NOTE_MS, "");
}

const isKeptScreen = screen => screen === "all" || (screen === "products" ? keepsBestSellers() : keptPeriods().includes(screen));
const screenPeriod = screen => (screen === "products" ? usualPeriod() : screen);
const usualPeriod = () => ["day", "week", "month"].find(kind => keptPeriods().includes(kind)) ?? "all";

function dwellMs() {
  const usual = Math.max(DWELL_LEAST_S, Math.min(DWELL_USUAL_S, AWAY_S / (wall.screens.length - 1)));
  return 1000 * (wall.seconds ?? usual);
}

/* Called when what the view keeps became known or changed. */
function arrangeScreens() {
  const screens = (wall.asked ?? USUAL_SCREENS).filter(isKeptScreen), missing = (wall.asked ?? []).filter(one => !isKeptScreen(one));
  const notKept = missing.length ? [`Not kept by this view: ${missing.map(one => SCREEN_WORDS[one]).join(", ")}.`] : [];
  noteOnWall([...wall.mistakes, ...notKept].join(" "));
  wall.screens = screens.length ? screens : ["all"];
  wall.at = 0;
  byId("wall-screens").replaceChildren(...wall.screens.map(screen => make("span", "", SCREEN_WORDS[screen])));
  showScreen();
}

function showScreen() {
  const screen = wall.screens[wall.at], root = document.documentElement;
  root.dataset.screen = screen === "products" ? "products" : "people";
  for (const [at, word] of [...byId("wall-screens").children].entries()) word.toggleAttribute("data-shown", at === wall.at);
  location.replace(placeHref({period: screenPeriod(screen), open: null}));
  clearTimeout(wall.turnTimer);
  if (wall.screens.length > 1) wall.turnTimer = setTimeout(turn, dwellMs());
}

/* Whether the service answers, for this screen. */
function isAnswered(screen) {
  const period = screenPeriod(screen), path = screen === "products" ? "scores/product" : "scores";
  const query = period === "all" ? "" : `&period=${period}`, signal = AbortSignal.timeout(TIMEOUT_MS);
  return fetchOk(`${path}?limit=${BOARD_ROWS}${query}`, {cache: "no-cache", signal})
    .then(answer => answer.arrayBuffer()).then(() => true, () => false);
}

/* Without an answer the screen stays: the next one could not be filled. A stream that is silent may be lost already. */
async function turn() {
  const {screens} = wall, at = (wall.at + 1) % screens.length, isThere = await isAnswered(screens[at]);
  if (wall.screens !== screens) return; // others were arranged meanwhile, and turn by themselves
  if (isThere) wall.at = at;
  if (isThere && !reducedMotion.matches)
    byId("boards").animate([{opacity: 0}, {opacity: 0, offset: 0.3}, {opacity: 1}], FADE_MS);
  showScreen();
}

function shiftFrame() {
  wall.shift = (wall.shift + 1) % SHIFTS.length;
  const [x, y] = SHIFTS[wall.shift];
  document.body.style.setProperty("--shift-x", x);
  document.body.style.setProperty("--shift-y", y);
}

/* Where there is such a lock: not on plain http from another machine. */
async function keepAwake() {
  if (!document.hidden) await navigator.wakeLock?.request("screen").catch(() => null);
}

/* What changed is marked for some seconds, for who looked away. The style lets the mark fade. */
function markChanges(before, {role, items}) {
  const scores = new Map(before.items.map(item => [itemId(item), item.score]));
  for (const item of items.filter(one => scores.get(itemId(one)) !== one.score)) {
    const {tr} = boards[role].rows.get(itemId(item)) ?? {};
    if (!tr) continue;
    tr.dataset.changed = "";
    setTimeout(() => delete tr.dataset.changed, reducedMotion.matches ? MARK_MS : MARK_MS / 5);
  }
}

/* Shows a board: at once on a page, and the first one of a screen; else one a second, the newest of each. */
function present(board) {
  if (!isWall) return showBoard(board);
  if (!pace.shown.has(board.role)) return presentNow(board);
  pace.waiting.set(board.role, board);
  pace.timer ??= setTimeout(presentNext, PACE_MS);
}

function presentNow(board) {
  const before = pace.shown.get(board.role);
  pace.shown.set(board.role, board);
  showBoard(board);
  if (before) markChanges(before, board);
}

function presentNext() {
  const [[role, board]] = pace.waiting;
  pace.waiting.delete(role);
  pace.timer = pace.waiting.size ? setTimeout(presentNext, PACE_MS) : null;
  presentNow(board);
}

/* Another period: nothing of the old one is shown any more, and the first boards come at once. */
function forgetPresented() {
  clearTimeout(pace.timer);
  pace.timer = null;
  pace.shown.clear();
  pace.waiting.clear();
}

function startWall() {
  Object.assign(wall, readWallOptions(location.search));
  document.documentElement.dataset.wall = "";
  const screens = make("p"), note = make("p"), section = make("section", "", screens, note);
  section.ariaLabel = "Screens";
  screens.id = "wall-screens";
  Object.assign(note, {id: "wall-note", hidden: true});
  byId("boards").before(section);
  wall.turnTimer = setTimeout(arrangeScreens, UNKNOWN_MS);
  setInterval(shiftFrame, SHIFT_MS);
  document.addEventListener("visibilitychange", keepAwake);
  keepAwake();
}
