/* Ticker: sales as they happen, at a pace that can be read. What does not fit is counted. */

const TICKER_ROWS = 5;
const TICKER_MS = 2000; // between two sales; so each is seen for five times that while sales keep coming
const TICKER_WAITING = 3; // sales that wait for their turn; older ones are counted only

const ticker = {waiting: [], missed: 0, timer: null};

const TICKER_TITLES = {all: "Sold just now", some: "Some of what was sold just now"};

function showTicker() {
  const title = TICKER_TITLES[salesKept()];
  hide(byId("ticker"), !title);
  if (title) setText(byId("ticker-title"), title);
}

function showSale(sale) {
  ticker.waiting.push(sale);
  ticker.missed += sale.skipped;
  if (ticker.waiting.length > TICKER_WAITING) {
    ticker.waiting.shift();
    ticker.missed++;
  }
  ticker.timer ??= setTimeout(turnTicker, 0);
}

/* Nothing moves under the pointer or the focus of a reader, nor while the page is paused. */
function isHeld() {
  return connection.state === "paused" || byId("ticker").matches(":hover, :focus-within");
}

function turnTicker() {
  ticker.timer = null;
  if (!ticker.waiting.length) return;
  ticker.timer = setTimeout(turnTicker, TICKER_MS);
  if (isHeld()) return;
  addSale(ticker.waiting.shift());
  setText(byId("ticker-more"), ticker.missed ? `and ${number.format(ticker.missed)} more` : "");
  ticker.missed = 0;
}

function addSale(sale) {
  const list = byId("ticker-sales"), tops = [...list.children].map(item => [item, item.getBoundingClientRect()]);
  list.prepend(makeSale(sale));
  while (list.children.length > TICKER_ROWS) list.lastElementChild.remove();
  glide(tops.filter(([item]) => item.isConnected));
}

function makeSale({productId, name, merchant, photographer, time}) {
  const product = make("span", "whole", saleLink("product", productId, name ?? productId));
  const people = make("span", "whole", ...(merchant ? ["from ", personOf(merchant)] : []),
    ...(photographer ? [merchant ? ", photo by " : "photo by ", personOf(photographer)] : []));
  const at = make("time", "", clock.format(Date.parse(time)));
  at.dateTime = time;
  return make("li", "", make("p", "sold", product), make("p", "by", people), at);
}

/* A link opens its sale over the boards that are visible, also if they were of another period when it was sold. */
function leadSales() {
  for (const link of byId("ticker-sales").querySelectorAll("a"))
    link.href = placeHref({period: readPlace().period, open: readPlace(link.hash).open});
}

const personOf = person => saleLink("contributor", person.id, nameOf(person));

function saleLink(kind, id, words) {
  const link = make("a", "", make("bdi", "", words));
  link.href = openHref(kind, id);
  link.title = words;
  return link;
}
