/* Boards that the stream does not have: of a period by its name, until that is final; and the best sellers. A paused
 * page asks once, for the period that its reader chose. */

const SELLERS_MS = 5000; // between looks at the best sellers, or at a period by its name

const aside = {timer: null};

function followAside() {
  clearTimeout(aside.timer);
  aside.timer = setTimeout(lookAside);
}

async function fetchSellers(signal) {
  const answer = await fetchOk(`scores/product?limit=${BOARD_ROWS}${periodQuery()}`, {cache: "no-cache", signal});
  return [await answer.json()];
}

async function lookAside() {
  const {period} = feed, signal = AbortSignal.timeout(TIMEOUT_MS), wanted = [], isOnce = connection.state === "paused";
  if (isNamed(period) || isOnce) wanted.push(fetchBoards(signal).then(got => [got.merchant, got.photographer]));
  if (keepsBestSellers()) wanted.push(fetchSellers(signal));
  const got = await Promise.allSettled(wanted);
  if (feed.period !== period || !(isConnected() || isOnce)) return;
  clearTimeout(aside.timer);
  const found = got.flatMap(one => one.value ?? []);
  found.forEach(present);
  if (isNamed(period) && isNoPeriod(got[0].reason?.status)) return periodNotKept(period);
  const isDone = got.every(one => one.value) && found.every(board => board.period?.final === true);
  if (!isDone && !isOnce) aside.timer = setTimeout(lookAside, SELLERS_MS);
}
