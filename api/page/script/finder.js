/* The finder: names on the boards that the page shows, by the start of a word, and product ids, exactly. It is a
 * combobox with a list: https://www.w3.org/WAI/ARIA/apg/patterns/combobox/ */

const FIND_ROWS = 100; // of each board
const FIND_MS = 250; // without a key, before a product id is asked for
const FIND_KEPT_MS = 60000;
const FIND_MOST = 8;

const finder = {
  names: [], period: null, askedAt: 0, loading: null, // of the boards
  exact: {id: null, row: null}, trouble: "", timer: null, // of the product with the text as its id
  found: [], active: -1,
};
const collator = new Intl.Collator(undefined, {usage: "search", sensitivity: "base"});
const wordsIn = new Intl.Segmenter(undefined, {granularity: "word"});

/* Where a name may begin to match: at its start, and at that of each word. */
function startsOf(name) {
  const words = [...wordsIn.segment(name)].filter(part => part.isWordLike && part.index > 0);
  return [0, ...words.map(part => part.index)];
}

function makeCandidate(kind, role, item) {
  const name = nameOf(item).normalize("NFC");
  return {kind, id: itemId(item), name, starts: startsOf(name), mask: kind === "product" ? "" : markOf(item), places: [[role, item]]};
}

/* Who is on both boards is found once. */
function candidatesOf(boards) {
  const found = new Map();
  for (const {role, items} of boards)
    for (const item of items) {
      const kind = role === "product" ? role : "contributor", key = `${kind} ${itemId(item)}`;
      if (found.has(key)) found.get(key).places.push([role, item]);
      else found.set(key, makeCandidate(kind, role, item));
    }
  return [...found.values()];
}

async function loadNames(period) {
  const ask = board => fetchJson(withPeriod(`${board}?limit=${FIND_ROWS}`, period));
  const [people, products] = await Promise.all([ask("scores"), keepsBestSellers() ? ask("scores/product") : null]);
  if (period !== shownPeriod()) return;
  const boards = [people?.merchant, people?.photographer, products].filter(Boolean);
  Object.assign(finder, {names: candidatesOf(boards), period, askedAt: Date.now()});
}

/* Once for all who wait, unless the boards are of another period by now. */
function namesAreLoaded() {
  const period = shownPeriod();
  if (finder.period === period && Date.now() - finder.askedAt < FIND_KEPT_MS) return Promise.resolve();
  if (finder.loading?.period !== period) {
    const loading = {period};
    loading.names = loadNames(period).finally(() => { if (finder.loading === loading) finder.loading = null; });
    finder.loading = loading;
  }
  return finder.loading.names;
}

const namesNow = () => (finder.period === shownPeriod() ? finder.names : []);

function matches({name, starts}, text) {
  return starts.some(at => collator.compare(name.slice(at, at + text.length), text) === 0);
}

function findIn(text) {
  const found = namesNow().filter(one => matches(one, text.normalize("NFC")));
  const {id, row} = finder.exact, isThere = id === text && row;
  if (!isThere) return found;
  const others = found.filter(one => one.kind !== "product" || one.id !== id);
  return [{kind: "product", id, name: row.name ?? id, mask: "", places: []}, ...others];
}

const textToFind = () => byId("find").value.trim();

function scopeWords() {
  const products = keepsBestSellers() ? ", photographers and best sellers" : " and photographers";
  return `the first ${FIND_ROWS} merchants${products} (${periodName(shownPeriod()).toLowerCase()})`;
}

function noteWords(text) {
  const all = finder.found.length;
  if (finder.trouble) return finder.trouble;
  if (!text) return `Searches the names of ${scopeWords()} by the start of a word, and all products by their whole id.`;
  if (all > FIND_MOST) return `${FIND_MOST} of ${number.format(all)}. Type more of the name.`;
  if (all) return `${all} found.`;
  if (finder.exact.id !== text || finder.loading) return "Searching.";
  return `Not found: no name of ${scopeWords()} has a word that begins so, and no product has this id.`;
}

function placesText({kind, mask, places}, isTwin) {
  const parts = places.map(([role, item]) => `${role} ${rankWords(item)}`);
  if (!parts.length) parts.push(`${kind}, by its id`);
  return parts.join(", ") + (isTwin ? ` ${mask}` : "");
}

function makeOption(one, n) {
  const isTwin = finder.found.some(other => other !== one && other.name === one.name);
  const option = make("li", "", make("bdi", "", one.name), make("small", "", make("bdi", "", placesText(one, isTwin))));
  option.id = `found-${n}`;
  option.setAttribute("role", "option");
  option.addEventListener("click", () => openFound(one));
  return option;
}

function setActive(n) {
  finder.active = n;
  const options = [...byId("found").children];
  for (const [at, option] of options.entries()) option.setAttribute("aria-selected", at === n);
  if (n < 0) return byId("find").removeAttribute("aria-activedescendant");
  byId("find").setAttribute("aria-activedescendant", options[n].id);
  options[n].scrollIntoView({block: "nearest"});
}

function showOptions(isOpen) {
  const options = isOpen ? finder.found.slice(0, FIND_MOST).map(makeOption) : [];
  byId("found").replaceChildren(...options);
  hide(byId("found"), !options.length);
  byId("find").setAttribute("aria-expanded", options.length > 0);
  setActive(-1);
}

function showFound() {
  const text = textToFind(), before = finder.found.map(one => one.id).join();
  finder.found = text ? findIn(text) : [];
  const isSame = before === finder.found.map(one => one.id).join();
  if (!isSame || byId("found").hidden) showOptions(document.activeElement === byId("find"));
  setText(byId("finder-note"), noteWords(text));
}

function closeFound() {
  clearTimeout(finder.timer);
  finder.found = [];
  showOptions(false);
  setText(byId("finder-note"), noteWords(""));
}

async function askExactly(text) {
  if (finder.exact.id === text) return;
  const row = await fetchProduct(text);
  if (textToFind() === text) finder.exact = {id: text, row};
}

/* Both searches for the present text. What is known at once is visible at once. */
async function search() {
  const text = textToFind(), parts = [namesAreLoaded()];
  finder.trouble = "";
  if (text) parts.push(askExactly(text));
  const failed = (await Promise.allSettled(parts)).find(part => part.status === "rejected");
  if (textToFind() !== text) return;
  finder.trouble = failed ? failed.reason.note : "";
  showFound();
}

function onFindInput() {
  clearTimeout(finder.timer);
  finder.timer = setTimeout(search, FIND_MS);
  finder.trouble = "";
  showFound();
}

function openFound({kind, id}) {
  closeFound();
  location.hash = openHref(kind, id);
}

/* Enter takes the option that is chosen, else the first that a search to its end finds. */
async function onFindSubmit(event) {
  event.preventDefault();
  const text = textToFind(), chosen = finder.found[finder.active];
  if (chosen) return openFound(chosen);
  clearTimeout(finder.timer);
  await search();
  if (text && textToFind() === text && finder.found.length) openFound(finder.found[0]);
}

function onFindKey(event) {
  const count = byId("found").children.length, step = {ArrowDown: 1, ArrowUp: -1}[event.key];
  if (event.key === "Escape" && count) closeFound();
  else if (event.key === "Escape") byId("find").value = "";
  else if (step && !count) showFound();
  else if (step) setActive((finder.active + step + (finder.active < 0 && step < 0 ? 1 : 0) + count) % count);
  if (step || event.key === "Escape") event.preventDefault();
}

function startFinder() {
  const input = byId("find");
  byId("finder").addEventListener("submit", onFindSubmit);
  input.addEventListener("input", onFindInput);
  input.addEventListener("keydown", onFindKey);
  input.addEventListener("focus", () => namesAreLoaded().catch(() => {})); // a search that fails says so
  input.addEventListener("blur", closeFound);
  closeFound();
  byId("found").addEventListener("mousedown", event => event.preventDefault()); // the input keeps the focus
}
