/* Details of one product or contributor, addressed by the fragment of the URL. */

const DETAILS_MS = 3000;

const details = {timer: null, shown: null};
const KINDS = {
  contributor: {title: "Contributor", load: loadContributor},
  product: {title: "Product", load: loadProduct},
};
const NO_PRODUCT = "There is no such product: nobody registered, photographed or bought it.";
const NO_CONTRIBUTOR = "There is no such contributor, or nothing of theirs was sold yet.";
const NOT_REQUESTABLE = "A browser cannot request this id. Use another client.";
const BOARDS = [...ROLES, "creator"]; // `scores/` and this word is a board, not a contributor
const NOT_ATTRIBUTED = "The registration is older than the event log, so nobody is credited with the sales.";
const NOT_READY = "Not found yet: the view is still catching up with its stream.";
const NO_ANSWER = "No answer from the server.";

/* A browser resolves these as path steps, even escaped. */
const isStep = id => /^\.\.?$/.test(id);

/* The JSON of a 200; null for a 404 or an id that nobody can have. Throws what may succeed later, with a `note`
 * to show. */
async function fetchJson(path) {
  const answer = await fetch(path, {signal: AbortSignal.timeout(TIMEOUT_MS)});
  const json = await answer.json();
  if (answer.ok) return json;
  if ([400, 404, 414].includes(answer.status)) return null;
  throw {note: json.code === "view-not-ready" ? NOT_READY : `The server has no answer: ${json.title}.`};
}

function fact(title, large, ...more) {
  const rest = more.filter(Boolean).map(text => make("p", "more", text));
  return make("div", "fact", make("h3", "", title), make("p", "large", large), ...rest);
}

function personLink(person) {
  const link = make("a", "", nameOf(person));
  link.href = openHref("contributor", person.id);
  return link;
}

function personFact(title, person, nobody) {
  if (!person) return fact(title, nobody);
  const sold = `${number.format(person.score)} sold of this product`;
  return fact(title, personLink(person), maskOf(person), sold);
}

async function loadProduct(id) {
  if (isStep(id)) return {title: id, note: NOT_REQUESTABLE, facts: []};
  const json = await fetchJson(`contributions/${encodeURIComponent(id)}`);
  if (!json) return {title: id, note: NO_PRODUCT, facts: []};
  const nobody = json.attributed ? "Nobody yet" : "Unknown";
  return {
    title: json.productId,
    note: json.attributed ? "" : NOT_ATTRIBUTED,
    facts: [
      fact("Sold", number.format(json.purchases)),
      personFact("Registered by", json.merchant, nobody),
      personFact("Photographed by", json.photographer, nobody),
      fact("First event", timeText(Date.parse(json.created))),
      fact("Latest event", timeText(Date.parse(json.updated))),
    ],
  };
}

async function roleFact(role, id, score) {
  const title = role === "merchant" ? "As a merchant" : "As a photographer";
  if (score === null) return fact(title, "Nothing sold yet");
  const json = await fetchJson(`scores/${role}/${encodeURIComponent(id)}`);
  const sold = `${number.format(json?.score ?? score)} sold`;
  if (!json) return fact(title, sold);
  const rank = `Rank ${rankText(json.rank, false)}${json.tied ? ", shared" : ""}`;
  return fact(title, sold, rank, `Latest sale ${timeText(Date.parse(json.updated))}`);
}

async function loadContributor(id) {
  if (isStep(id) || BOARDS.includes(id)) return {title: "Unknown", note: NOT_REQUESTABLE, facts: []};
  const json = await fetchJson(`scores/${encodeURIComponent(id)}`);
  if (!json) return {title: "Unknown", note: NO_CONTRIBUTOR, facts: []};
  const facts = await Promise.all(ROLES.map(role => roleFact(role, id, json[role])));
  return {title: nameOf(json), note: maskOf(json), facts};
}

/* Replaces the content only when its text changed; a link that had the focus keeps it. */
function showDetails({title, note, facts}) {
  const content = byId("details-content"), focused = content.contains(document.activeElement);
  setText(byId("details-title"), title);
  setText(byId("details-note"), note);
  if (content.textContent === facts.map(one => one.textContent).join("")) return;
  const {href} = document.activeElement;
  content.replaceChildren(...facts);
  if (focused) [...content.querySelectorAll("a")].find(link => link.href === href)?.focus();
}

/* Without an answer, the content stays. */
async function refreshDetails(hash, {kind, id}) {
  clearTimeout(details.timer);
  const got = await KINDS[kind].load(id).catch(error => ({note: error.note ?? NO_ANSWER}));
  if (details.shown !== hash) return; // the user is elsewhere by now
  if (got.facts) showDetails(got);
  else setText(byId("details-note"), `${got.note} Trying again.`);
  clearTimeout(details.timer); // of another refresh for the same hash
  details.timer = setTimeout(refreshDetails, DETAILS_MS, hash, {kind, id});
}

function followHash() {
  const where = readPlace().open, dialog = byId("details");
  clearTimeout(details.timer);
  details.shown = where ? location.hash : null;
  if (!where) return dialog.open && dialog.close();
  setText(byId("details-kind"), KINDS[where.kind].title);
  setText(byId("details-title"), where.kind === "product" ? where.id : "\u2026");
  setText(byId("details-note"), "Loading.");
  byId("details-content").replaceChildren();
  if (!dialog.open) dialog.showModal();
  byId("details-title").focus();
  refreshDetails(location.hash, where);
}

/* The close event is late: the dialog may be open again by then, or a hashchange is about to arrive. */
function leaveDetails() {
  if (byId("details").open || location.hash !== details.shown) return;
  const {period} = readPlace(), boards = period ? placeHref({period}) : "";
  history.pushState(null, "", location.pathname + location.search + boards); // an empty # would scroll to the top
  followHash();
}
