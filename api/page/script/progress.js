/* Progress while the view catches up: a bar instead of boards that jump. Boards that were seen before stay, marked as
 * old. */

const PROGRESS_MS = 5000; // after the last event of it

const catchingUp = {isShown: false, timer: null};

/* Without news of it for some seconds, nothing is catching up that this page hears of. */
function noteProgress(progress) {
  clearTimeout(catchingUp.timer);
  if (progress) catchingUp.timer = setTimeout(noteProgress, PROGRESS_MS, null);
  showProgress(progress);
}

/* Null when the view is current, or when nobody reports progress any more. */
function showProgress(progress) {
  const bar = byId("progress"), seen = Object.values(boards).some(board => board.items?.length);
  hide(bar, !progress);
  catchingUp.isShown = progress !== null && (catchingUp.isShown || !seen);
  document.body.toggleAttribute("data-catching-up", catchingUp.isShown);
  if (!progress) return;
  const share = progress.percent === null ? null : progress.percent / 100, words = progressWords(progress);
  if (share === null) bar.removeAttribute("aria-valuenow");
  else bar.setAttribute("aria-valuenow", Math.round(progress.percent));
  bar.setAttribute("aria-valuetext", words);
  bar.style.setProperty("--done", share ?? 0);
  bar.toggleAttribute("data-unknown", share === null);
  setText(byId("progress-words"), words);
}

function progressWords({percent: done, eventsPerSecond, secondsLeft, shardsBehind, shards}) {
  return [
    done === null ? "Catching up" : `Catching up: ${percent.format(Math.floor(done) / 100)}`,
    eventsPerSecond === null ? "" : `${number.format(eventsPerSecond)} events a second`,
    secondsLeft === null ? "" : `${durationText(secondsLeft * 1000)} left`,
    shards > 1 ? `${number.format(shardsBehind)} of ${number.format(shards)} shards behind` : "",
  ].filter(Boolean).join(" · ");
}
