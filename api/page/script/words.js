/* Words and numbers, the latter as the viewer's locale writes them. */

const COMPACT_FROM = 1e10; // a number of that many digits is shortened, and is whole for a screen reader

const number = new Intl.NumberFormat();
const compact = new Intl.NumberFormat(undefined, {notation: "compact", maximumFractionDigits: 2});
const percent = new Intl.NumberFormat(undefined, {style: "percent", maximumSignificantDigits: 2});
const clock = new Intl.DateTimeFormat(undefined, {timeStyle: "medium"});
const dayAndClock = new Intl.DateTimeFormat(undefined, {dateStyle: "medium", timeStyle: "medium"});

/* A time of day, with its date unless it is today. */
function timeText(ms) {
  const isToday = new Date(ms).toDateString() === new Date().toDateString();
  return (isToday ? clock : dayAndClock).format(ms);
}

function durationText(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${number.format(s)} s`;
  if (s < 7200) return `${number.format(Math.floor(s / 60))} min`;
  return s < 172800 ? `${number.format(Math.floor(s / 3600))} h` : `${number.format(Math.floor(s / 86400))} days`;
}

function sizeText(size) {
  return (size < COMPACT_FROM ? number : compact).format(size);
}

/* The width of a size in digits: what is neither digit nor letter has half of one. */
function digitsOf(size) {
  const text = sizeText(size);
  return text.length - (text.match(/[^\p{L}\p{N}]/gu) ?? []).length / 2;
}

/* `--digits`: the style makes large numbers smaller, so that they fit. */
function showSize(element, size) {
  element.style.setProperty("--digits", digitsOf(size));
  element.title = size < COMPACT_FROM ? "" : number.format(size);
  setTextAndSpeech(element, sizeText(size), number.format(size));
}

function rankText(rank, tied) {
  return rank === null ? "beyond 1,000" : (tied ? "=" : "") + number.format(rank);
}

function rankWords({rank, tied}) {
  return `${tied ? "at shared rank" : "at rank"} ${number.format(rank)}`;
}

/* A name may be null; the masked userId of its contributor never is. A product has an id for all to see. */
const nameOf = ({name, userId, productId}) => name ?? userId ?? productId;
const maskOf = ({name, userId}) => (name === null ? "" : userId);
