/* Podium: the first three of a board, with what is missing to the next place. */

const PLACES = 3;
const PLACE_WORDS = ["1st", "2nd", "3rd"];

/* Has little room. */
const GAP_COMPACT_FROM = 1e6;
const gapText = gap => (gap < GAP_COMPACT_FROM ? number : compact).format(gap);

/* The leader's lead, the others' distance, and "tied" for who shares the lead: a phone has room for no more. */
function gapWords(items, at) {
  const {score, tied} = items[at], next = items.slice(0, at).findLast(item => item.score > score);
  if (next) return `${gapText(next.score - score)} to ${PLACE_WORDS[next.rank - 1]}`;
  if (at > 0 || tied) return "tied";
  return items.length > 1 ? `${gapText(score - items[1].score)} ahead` : "";
}

function showGap(row, items, at) {
  setText(row.gap, at < PLACES ? gapWords(items, at) : "");
}
