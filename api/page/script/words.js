/* Words. */

const number = new Intl.NumberFormat("en");
const clock = new Intl.DateTimeFormat("en", {timeStyle: "medium", hourCycle: "h23"});
const dayAndClock = new Intl.DateTimeFormat("en",
  {dateStyle: "medium", timeStyle: "medium", hourCycle: "h23"});

/* A time of day, with its date unless it is today. */
function timeText(ms) {
  const isToday = new Date(ms).toDateString() === new Date().toDateString();
  return (isToday ? clock : dayAndClock).format(ms);
}

function durationText(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.floor(s / 60)} min`;
  return s < 172800 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} days`;
}

function rankText(rank, tied) {
  return rank === null ? "beyond 1,000" : (tied ? "=" : "") + number.format(rank);
}

function rankWords({rank, tied}) {
  return `${tied ? "at shared rank" : "at rank"} ${rank}`;
}

/* A name may be null; the masked userId of its contributor never is. */
const nameOf = ({name, userId}) => name ?? userId;
const maskOf = ({name, userId}) => (name === null ? "" : userId);
