/* The page: two boards that follow the view, and the details of one product or contributor.
 *
 * It reports two things separately: how old the data is (freshness.js), and whether the page is connected
 * (feed.js). When either fails, the boards stay and are marked as old. Names are user data: they become
 * text, never markup. */

function togglePause() {
  const isPaused = connection.state !== "paused";
  byId("pause").setAttribute("aria-pressed", isPaused);
  setText(byId("pause"), isPaused ? "Resume" : "Pause");
  if (isPaused) disconnect();
  setConnection(isPaused ? "paused" : "connecting");
  if (!isPaused) connect();
}

/* A hidden page holds no connection: a browser has only six per server, and the server has a limit too. */
function followVisibility() {
  if (connection.state === "paused") return;
  disconnect();
  if (document.hidden) return;
  setConnection("connecting");
  connect();
}

/* A click on the backdrop has the dialog as its target; a click inside has one of its children. */
function closeByBackdrop(event) {
  if (event.target === event.currentTarget) event.target.close();
}

/* Its link would be a place of its own: that of the usual period. */
function skipToBoards(event) {
  event.preventDefault();
  byId("boards").focus();
}

document.querySelector(".skip").addEventListener("click", skipToBoards);
byId("pause").addEventListener("click", togglePause);
byId("close").addEventListener("click", () => byId("details").close());
byId("details").addEventListener("close", leaveDetails); // by the button, by Esc
byId("details").addEventListener("click", closeByBackdrop);
byId("details-content").addEventListener("click", markLeft);
addEventListener("hashchange", followPeriod);
addEventListener("hashchange", followHash);
document.addEventListener("visibilitychange", followVisibility);
setInterval(showFreshness, 1000);
setInterval(watchFeed, 1000);
setInterval(leadAround, 1000);
if (isWall) startWall();
startFinder();
setInterval(refillLines, LINES_MS);
setInterval(renewMovements, BEFORE_RETRY_MS);
setTimeout(decidePeriod, UNDECIDED_MS);
followPeriod();
followHash();
connect();
checkVersion();
