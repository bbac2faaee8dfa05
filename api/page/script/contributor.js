/* The view of a contributor: how they stand in each role, and their products. */

const NO_CONTRIBUTOR = "There is no such contributor, or nothing of theirs was sold yet.";
const NOT_REQUESTABLE = "A browser cannot request this id. Use another client.";
const BOARDS = [...ROLES, "creator", "product"]; // `scores/` and this word is a board, not a contributor
const PRODUCTS = 20, PRODUCTS_MOST = 100; // in a list at first, and at most
const ROLE_TITLES = {merchant: "As a merchant", photographer: "As a photographer"};
const PRODUCT_TITLES = {merchant: "Products they registered", photographer: "Products they photographed"};

/* A photograph earns nothing for what was sold before it. */
function soldWords(item, role) {
  const own = item[role]?.score ?? 0;
  return own === item.purchases ? `${number.format(own)} sold`
    : `${number.format(own)} of ${number.format(item.purchases)} sold`;
}

function makeProductRow(item) {
  const sold = make("span", "score"), name = link("product", item.productId, nameOf(item));
  name.classList.add("name");
  return {element: make("li", "", name, sold), sold};
}

function showProducts(part, {items, next}) {
  const before = part.rows;
  part.rows = new Map(items.map(item => [item.productId, before.get(item.productId) ?? makeProductRow(item)]));
  for (const item of items) setText(part.rows.get(item.productId).sold, soldWords(item, part.role));
  const order = [...part.rows.values()].map(row => row.element);
  if (order.length !== part.list.children.length || order.some((one, n) => one !== part.list.children[n]))
    part.list.replaceChildren(...order);
  part.next = next;
  hide(part.more, next === null);
  setText(part.more, part.limit < PRODUCTS_MOST ? "More products" : `The next ${PRODUCTS_MOST} products`);
  hide(part.first, part.cursor === null);
}

/* The whole list is one request, so that its products are of one moment. */
async function refreshProducts(part) {
  const {cursor, limit} = part;
  const page = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
  const found = await fetchJson(`contributions?${part.role}=${encodeURIComponent(part.id)}&limit=${limit}${page}`);
  if (cursor !== part.cursor || limit !== part.limit) return; // the reader asked for another page meanwhile
  noteAsked(part);
  hide(part.element, !found?.items.length && cursor === null);
  if (found) showProducts(part, found);
}

/* The focus goes to the first product that is new. */
async function turnPage(part, page) {
  const before = part.list.children.length, isLonger = page.cursor === part.cursor;
  Object.assign(part, page);
  await refreshProducts(part).catch(() => {}); // the refresh of the view tries again, and says so
  part.list.children[isLonger ? before : 0]?.querySelector("a").focus();
}

function showMoreProducts(part) {
  const isFull = part.limit === PRODUCTS_MOST;
  return turnPage(part, isFull ? {cursor: part.next, limit: PRODUCTS_MOST}
    : {cursor: part.cursor, limit: Math.min(2 * part.limit, PRODUCTS_MOST)});
}

function makeProducts(role, id) {
  const part = {
    role, id, cursor: null, limit: PRODUCTS, next: null, rows: new Map(),
    list: make("ul"), more: make("button"), first: make("button", "", "The first products"),
  };
  for (const button of [part.more, part.first]) button.type = "button";
  part.more.addEventListener("click", () => showMoreProducts(part));
  part.first.addEventListener("click", () => turnPage(part, {cursor: null, limit: PRODUCTS}));
  part.element = make("div", "products", make("h4", "", PRODUCT_TITLES[role]), part.list, part.first, part.more);
  hide(part.element, true);
  return part;
}

function makeRole(role, id) {
  const part = {role, standing: makeStanding(role, id), products: makeProducts(role, id)};
  part.nothing = make("p", "", "Nothing sold yet");
  part.element = make("section", role, make("h3", "", ROLE_TITLES[role]), part.nothing, part.standing.element,
    part.products.element);
  return part;
}

/* Products may be registered before anything is sold. */
async function refreshRole(part, score) {
  hide(part.nothing, score !== null);
  if (score === null) hide(part.standing.element, true);
  else await refreshStanding(part.standing);
  if (isDue(part.products, score)) await refreshProducts(part.products);
}

async function refreshContributor(view, id, roles) {
  if (isStep(id) || BOARDS.includes(id)) return setHead(view, "Unknown", NOT_REQUESTABLE);
  const json = await fetchJson(`scores/${encodeURIComponent(id)}`);
  hide(view.body, !json);
  if (!json) return setHead(view, "Unknown", NO_CONTRIBUTOR);
  setHead(view, nameOf(json), markOf(json));
  await Promise.all(roles.map(part => refreshRole(part, json[part.role])));
}

function makeContributor(id) {
  const roles = ROLES.map(role => makeRole(role, id));
  const view = {kind: "Contributor", title: "\u2026", note: "Loading.", body: make("div", "", ...roles.map(part => part.element))};
  hide(view.body, true);
  return Object.assign(view, {refresh: () => refreshContributor(view, id, roles)});
}
