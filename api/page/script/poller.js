/* The poller: boards and freshness, asked for again and again. The page polls whenever the stream sends nothing, so also
 * before its first event. */

const POLL_MS = 2000, POLL_FAILED_MS = 3000;

const poller = {abort: null, timer: null};

function startPolling(delayMs = 0) {
  if (poller.abort) return;
  poller.abort = new AbortController();
  poller.timer = setTimeout(poll, delayMs, poller.abort.signal);
}

function stopPolling() {
  poller.abort?.abort();
  poller.abort = null;
  clearTimeout(poller.timer);
}

function restartPolling() {
  stopPolling();
  startPolling();
}

async function poll(signal) {
  const {period} = feed, got = await fetchBoards(signal).catch(error => ({error}));
  if (signal.aborted) return;
  const isNone = isNoPeriod(got.error?.status), isUp = !got.error || isNone, isBack = isUp && connection.state === "disconnected";
  if (!got.error) showAnswer(got);
  setConnection(isUp ? "polling" : "disconnected");
  if (isBack) reopenSoon(); // the server is back: do not wait for the retry timer
  poller.timer = setTimeout(poll, got.error ? spread(POLL_FAILED_MS, got.error.retryMs) : POLL_MS, signal);
  if (isNone) periodNotKept(period);
}

function showAnswer({merchant, photographer, asOf, time}) {
  present(merchant);
  present(photographer);
  noteFreshness({asOf, time});
  feed.shownAt = Date.now();
}
