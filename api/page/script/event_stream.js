/* Server-Sent Events (WHATWG HTML, section 9.2) by fetch. Unlike an EventSource this reports the status of an answer, its
 * Retry-After and heartbeats, and the page chooses when it connects again, and after which event. */

const EVENT_MOST = 1 << 20; // characters of an incomplete event: more is no stream of this server

/* How long an answer asks to wait, in ms; 0 if it does not. */
function retryAfterMs(answer) {
  const text = answer.headers.get("Retry-After"), seconds = Number(text ?? 0);
  const ms = Number.isNaN(seconds) ? Date.parse(text) - Date.now() : seconds * 1000;
  return ms > 0 ? ms : 0;
}

/* The answer, or an error with `status` and `retryMs`. */
async function fetchOk(path, options) {
  const answer = await fetch(path, options);
  if (answer.ok) return answer;
  answer.body?.cancel();
  throw Object.assign(new Error(`status ${answer.status}`), {status: answer.status, retryMs: retryAfterMs(answer)});
}

function parseEvent(block) {
  const event = {kind: "message", id: null, data: null};
  for (const line of block.split("\n")) {
    const [, name, value] = /^([^:]*):? ?(.*)$/.exec(line);
    if (name === "event") event.kind = value;
    else if (name === "id") event.id = value;
    else if (name === "data") event.data = value; // one line, as this server writes it
  }
  return event;
}

/* The whole events of a text, and the rest of it. */
function parseEvents(text) {
  const blocks = text.split("\n\n"), rest = blocks.pop();
  return {events: blocks.map(parseEvent).filter(event => event.data !== null), rest};
}

/* Calls `heard(events)` for all that arrives, with an empty list for a heartbeat, until the stream ends. */
async function readEvents(path, lastId, signal, heard) {
  const headers = lastId === null ? {} : {"Last-Event-ID": lastId};
  const answer = await fetchOk(path, {headers, signal, cache: "no-store"});
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    const {events, rest} = parseEvents(text + value);
    text = rest;
    if (text.length > EVENT_MOST) throw new Error("an event does not end");
    heard(events);
  }
}
