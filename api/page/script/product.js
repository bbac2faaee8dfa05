/* The view of a product: its contribution and, where best sellers are kept, its place among them. */

const NO_PRODUCT = "There is no such product: nobody registered, photographed or bought it.";
const NOT_ATTRIBUTED = "The registration is older than the event log, so nobody is credited with the sales.";
const ID_BYTES = 1024;

/* Such an id is asked for as a list of one: unlike a path it can have any characters, and "none" is an answer, not an
 * error. */
async function fetchProduct(id) {
  if (new TextEncoder().encode(id).length > ID_BYTES) return null;
  const escaped = encodeURIComponent(id);
  return (await fetchJson(`contributions?productIds=${escaped}`))?.items[0] ?? null;
}

/* A link stays the same element while it leads to the same person. */
function showPerson(fact, person, nobody) {
  const old = fact.large.querySelector("a");
  if (!person) setText(fact.large, nobody);
  else if (old?.href !== new URL(openHref("contributor", person.id), location).href)
    fact.large.replaceChildren(link("contributor", person.id, nameOf(person)));
  setName(fact.more, person ? markOf(person) : "");
  setText(fact.last, person ? `${number.format(person.score)} sold of this product` : "");
}

function showText(fact, text) {
  setName(fact.large, text ?? "");
  hide(fact.element, text === null);
}

function showContribution(facts, json) {
  const nobody = json.attributed ? "Nobody yet" : "Unknown";
  setText(facts.sold.more, json.attributed ? "" : NOT_ATTRIBUTED);
  setText(facts.sold.large, number.format(json.purchases));
  showPerson(facts.merchant, json.merchant, nobody);
  showPerson(facts.photographer, json.photographer, nobody);
  for (const name of ["brand", "category", "image"]) showText(facts[name], json[name]);
  setText(facts.created.large, timeText(Date.parse(json.created)));
  setText(facts.updated.large, timeText(Date.parse(json.updated)));
}

async function refreshProduct(view, id, facts, best) {
  const json = await fetchProduct(id);
  hide(view.body, !json);
  if (!json) return setHead(view, id, NO_PRODUCT);
  setHead(view, json.name ?? id, json.name === null ? "" : id);
  showContribution(facts, json);
  const isRanked = keepsBestSellers() && json.purchases > 0 && !isStep(id);
  hide(best.section, !isRanked);
  if (isRanked) await refreshStanding(best);
  hide(facts.sold.element, isRanked && json.attributed); // the standing has it, too
}

function makeProduct(id) {
  const facts = {
    sold: makeFact("Sold"), merchant: makeFact("Registered by"), photographer: makeFact("Photographed by"),
    brand: makeFact("Brand"), category: makeFact("Category"), image: makeFact("Picture"),
    created: makeFact("First event"), updated: makeFact("Latest event"),
  };
  const best = makeStanding("product", id);
  best.section = make("section", "product", make("h3", "", "Among the best sellers"), best.element);
  const [sold, ...others] = Object.values(facts).map(fact => fact.element);
  const view = {kind: "Product", title: id, note: "Loading.", body: make("div", "", sold, best.section, make("div", "facts", ...others))};
  hide(view.body, true);
  return Object.assign(view, {refresh: () => refreshProduct(view, id, facts, best)});
}
