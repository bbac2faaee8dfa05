/* Where the reader is: the fragment of the URL, so that every view can be shared and the browser's "back" works.
 *
 *   #/                          the boards
 *   #/week                      of a period: "all", the kind of one under way, or the name of one: 2026-W48
 *   #/week/product/lamp         and what lies open over them: a product or a contributor
 *   #/product/lamp
 *
 * A place is {period, open}: `period` is null where the URL has none, `open` is {kind, id} or null. */

const NAMED_PERIOD = /^\d{4}-(W(0[1-9]|[1-4]\d|5[0-3])|(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01])(T([01]\d|2[0-3]))?)?)$/;
const isPeriod = word => ["all", "hour", "day", "week", "month"].includes(word) || NAMED_PERIOD.test(word);
const OPENED = ["product", "contributor"];

/* A page on a wall: nobody operates it. */
const isWall = new URLSearchParams(location.search).has("wall");

function readPlace(hash = location.hash) {
  const [, ...steps] = hash.split("/");
  const period = isPeriod(steps[0]) ? steps.shift() : null;
  const [kind, ...id] = steps;
  if (!OPENED.includes(kind) || !id[0]) return {period, open: null};
  try {
    return {period, open: {kind, id: decodeURIComponent(id.join("/"))}};
  } catch {
    return {period, open: null}; // invalid percent-encoding
  }
}

function placeHref({period, open}) {
  const steps = [period, open?.kind, open && encodeURIComponent(open.id)];
  return `#/${steps.filter(Boolean).join("/")}`;
}

/* What a link leads to that opens something over the boards that are visible now. */
function openHref(kind, id) {
  return placeHref({period: readPlace().period, open: {kind, id}});
}
