/* Announcements for screen readers: at most one sentence in ten seconds. */

const ANNOUNCE_MS = 10000;

const announcement = {next: null, timer: null};

/* A text of more or equal weight replaces one that was not announced yet. */
function announce(text, weight = 0) {
  if (!announcement.next || weight >= announcement.next.weight) announcement.next = {text, weight};
  if (!announcement.timer) announceNext();
}

function announceNext() {
  announcement.timer = null;
  if (!announcement.next) return;
  setText(byId("summary"), announcement.next.text);
  announcement.next = null;
  announcement.timer = setTimeout(announceNext, ANNOUNCE_MS);
}

function announceChanges({role, items: before}, items) {
  if (!before || !items.length) return;
  const ranks = new Map(before.map(item => [itemId(item), item.rank])), first = items[0];
  const risen = items.filter(item => item.rank < (ranks.get(itemId(item)) ?? Infinity));
  if (!before.length || itemId(before[0]) !== itemId(first))
    announce(`${nameOf(first)} now ${first.tied ? "shares the lead of" : "leads"} the ${role}s${periodWords()} with ${number.format(first.score)} sold.`, 1);
  else if (risen.length)
    announce(`${nameOf(risen[0])} is now ${rankWords(risen[0])} of the ${role}s${periodWords()}.`);
}
