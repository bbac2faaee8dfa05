// A shop of 20 sales a second, as the service reports it (openapi.yaml): its /live, and all else that the page asks for. The
// page's own files come from a service behind it. Time passes by `pass`, at once.
"use strict";

const http = require("node:http");

const START_MS = Date.UTC(2026, 10, 30, 10), DAY_MS = 86400000;
const ROWS = 10, ID_LENGTH = 107, SALES_A_SECOND = 20, SALES_TOLD = 4;
const ROLES = ["merchant", "photographer"], KINDS = ["all", "day", "week"];
const NAMES = ["Ann", "Bo", "Zofia Zielińska", "نادية", "日本太郎"];
const FILES = ["/", "/board.css", "/board.js"];
const KEPT = {sales: "all", periods: ["day", "week"], bestSellers: true};

// Numbers that repeat from run to run (mulberry32).
function makeRandom(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const random = makeRandom(1), below = most => Math.floor(random() * most);
const isoTime = ms => new Date(ms).toISOString();
const isoDay = ms => isoTime(ms).slice(0, 10);

function periodAt(kind, ms) {
  if (kind === "all") return null;
  const day = ms - (ms % DAY_MS), start = kind === "day" ? day : day - ((new Date(day).getUTCDay() + 6) % 7) * DAY_MS;
  const days = kind === "day" ? 1 : 7, name = kind === "day" ? isoDay : weekName;
  return {id: name(start), kind, start: isoTime(start), end: isoTime(start + days * DAY_MS), final: null,
    previous: name(start - days * DAY_MS), next: null};
}

function weekName(monday) {
  const thursday = monday + 3 * DAY_MS, year = new Date(thursday).getUTCFullYear();
  const week = 1 + Math.floor((thursday - Date.UTC(year, 0, 1)) / DAY_MS / 7);
  return `${year}-W${String(week).padStart(2, "0")}`;
}

let people = 0;

function newcomer(role, score) {
  const number = ++people;
  if (role === "product") return {productId: `product-${number}`, name: `Product ${number}`, score};
  const name = `${NAMES[below(NAMES.length)]} ${number}`;
  const id = String(number).padEnd(ID_LENGTH, "xY-0");
  return {id, userId: `${name} (**...**ABC****)`, name, score};
}

const keyOf = item => item.id ?? item.productId;

// The first ten of a board. Most of a second's sales raise a score, some change places, and now and then somebody is new.
class Board {
  constructor(role, rows) {
    this.role = role;
    this.items = Array.from({length: rows}, (_, at) => newcomer(role, 100 * (ROWS - at)));
    this.rank();
  }

  rank() {
    this.items.sort((a, b) => b.score - a.score);
    this.items = this.items.map(item => ({
      ...item,
      rank: 1 + this.items.findIndex(other => other.score === item.score),
      tied: this.items.some(other => other !== item && other.score === item.score),
    }));
  }

  pass(seconds) {
    for (let sale = 0; sale < SALES_A_SECOND * seconds; sale++) {
      const {items} = this, drawn = random();
      if (items.length < ROWS || drawn < 0.005)
        items.splice(Math.min(items.length, ROWS - 1), 1, newcomer(this.role, 1 + (items.at(-1)?.score ?? 0)));
      else if (drawn < 0.1) items[1 + below(ROWS - 1)].score = 1 + items[below(ROWS)].score;
      else items[below(items.length)].score++;
    }
    this.rank();
  }

  whole(period, asOf) {
    return {role: this.role, items: this.items.map(item => ({...item, updated: asOf})), next: null, period, asOf};
  }

  // What an event `rows` reports of what changed since `before`.
  change(before, period, asOf) {
    const rows = [], places = new Map(before.map((item, at) => [keyOf(item), at]));
    for (const [at, item] of this.items.entries()) {
      const was = places.get(keyOf(item)), old = before[was];
      if (!old) rows.push({at, ...item, updated: asOf});
      else if (was !== at || old.score !== item.score || old.rank !== item.rank || old.tied !== item.tied)
        rows.push({at, ...(was === at ? {} : {was}), score: item.score, rank: item.rank, tied: item.tied});
    }
    const left = before.map(keyOf).filter(key => !this.items.some(item => keyOf(item) === key));
    return {role: this.role, period: period?.id ?? null, asOf, rows, left};
  }
}

class BusyShop {
  constructor(files) {
    this.files = files;
    this.ms = START_MS;
    this.sales = this.events = this.connections = 0;
    this.boards = Object.fromEntries(KINDS.map(kind => [kind, this.makeBoards(ROWS)]));
    this.streams = new Map(); // kind of each
    this.server = http.createServer((request, answer) => this.answer(request, answer));
  }

  makeBoards(rows) {
    return Object.fromEntries([...ROLES, "product"].map(role => [role, new Board(role, rows)]));
  }

  async listen() {
    await new Promise(done => this.server.listen(0, "127.0.0.1", done));
    return this.server.address().port;
  }

  close() {
    this.server.close();
    this.server.closeAllConnections();
  }

  // Time.

  // What happened in some seconds, to whoever reads it: of the boards in one go, as /live does for a page that is slow.
  // Returns the time at which its freshness ends.
  pass(seconds, caughtUp = true) {
    const day = isoDay(this.ms);
    this.ms += 1000 * seconds;
    this.sales += SALES_A_SECOND * seconds;
    if (isoDay(this.ms) !== day) this.boards.day = this.makeBoards(0);
    const sold = this.sold(seconds), fresh = this.fresh(caughtUp), changed = new Map();
    for (const kind of new Set(this.streams.values())) changed.set(kind, this.boardEvents(kind, seconds, isoDay(this.ms) !== day));
    for (const [stream, kind] of this.streams) stream.write(changed.get(kind) + sold + fresh);
    return isoTime(this.ms).slice(13, 19);
  }

  boardEvents(kind, seconds, isNewDay) {
    const period = periodAt(kind, this.ms), asOf = isoTime(this.ms);
    this.boards[kind].product.pass(seconds);
    return ROLES.map(role => {
      const board = this.boards[kind][role], before = board.items;
      board.items = before.map(item => ({...item}));
      board.pass(seconds);
      return isNewDay && kind === "day" ? this.event(role, board.whole(period, asOf))
        : this.event("rows", board.change(before, period, asOf));
    }).join("");
  }

  sold(seconds) {
    const {merchant, photographer} = this.boards.all, one = ({items}) => items[below(items.length)];
    const person = ({id, userId, name}) => ({id, userId, name});
    return Array.from({length: SALES_TOLD * seconds}, () => this.event("sale", {
      productId: `product-${below(1000)}`, name: `Product ${below(1000)}`, merchant: person(one(merchant)),
      photographer: person(one(photographer)), time: isoTime(this.ms), skipped: SALES_A_SECOND / SALES_TOLD - 1,
    })).join("");
  }

  fresh(caughtUp) {
    const time = isoTime(this.ms), shards = {shardsBehind: caughtUp ? 0 : 1, shards: 1};
    const progress = {percent: 50, eventsPerSecond: 100, secondsLeft: 9, ...shards};
    return (caughtUp ? "" : this.event("progress", progress)) + this.event("freshness", {asOf: time, caughtUp, time, ...KEPT});
  }

  event(kind, data) {
    return `id: b-${++this.events}\nevent: ${kind}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  endStreams() {
    for (const stream of this.streams.keys()) stream.end();
  }

  // HTTP.

  answer(request, answer) {
    const {pathname: path, searchParams: query} = new URL(request.url, "http://shop"), file = this.files.get(path);
    if (path === "/live") return this.stream(query.get("period") ?? "all", answer);
    if (file) return answer.writeHead(200, file.headers).end(request.method === "GET" ? file.body : undefined);
    const body = this.json(path.slice(1).split("/").map(decodeURIComponent), query);
    const headers = {"Content-Type": "application/json", "View-As-Of": isoTime(this.ms), Date: new Date(this.ms).toUTCString()};
    answer.writeHead(body ? 200 : 404, headers).end(JSON.stringify(body ?? {code: "not-found", title: "Not found"}));
  }

  stream(kind, answer) {
    this.connections++;
    answer.writeHead(200, {"Content-Type": "text/event-stream"});
    const period = periodAt(kind, this.ms), asOf = isoTime(this.ms);
    answer.write(ROLES.map(role => this.event(role, this.boards[kind][role].whole(period, asOf))).join("") + this.fresh(true));
    this.streams.set(answer, kind);
    answer.on("close", () => this.streams.delete(answer));
  }

  json([resource, role, id, history], query) {
    const asOf = isoTime(this.ms);
    if (resource === "contributions") return {items: [], next: null, asOf};
    if (resource === "sales" && role === "history") return this.history(query, "sales");
    if (resource === "sales") return {sales: this.sales, period: this.period(query), asOf};
    if (history) return this.history(query, "score");
    if (id) return this.standing(role, id, query);
    if (ROLES.includes(role) || role === "product") return this.board(role, query);
    return role ? null : Object.fromEntries(ROLES.map(one => [one, this.board(one, query)]));
  }

  period(query) {
    const kind = query.get("period") ?? "all";
    return periodAt(KINDS.includes(kind) ? kind : kind.includes("W") ? "week" : "day", this.ms);
  }

  board(role, query) {
    const period = this.period(query);
    return this.boards[period?.kind ?? "all"][role].whole(period, isoTime(this.ms));
  }

  standing(role, id, query) {
    const found = this.boards.all[role]?.items.find(item => keyOf(item) === id);
    return found && {role, ...found, of: 1000, percentile: 99, period: this.period(query), asOf: isoTime(this.ms)};
  }

  history(query, member) {
    const kind = query.get("kind"), days = kind === "week" ? 7 : 1;
    const items = Array.from({length: Number(query.get("limit"))}, (_, at) =>
      ({period: periodAt(kind, this.ms - at * days * DAY_MS), [member]: below(1000)}));
    return {items, next: null, asOf: isoTime(this.ms)};
  }
}

async function filesOf(origin) {
  const files = new Map();
  for (const path of FILES) {
    const answer = await fetch(origin + path), headers = {};
    for (const name of ["content-type", "content-security-policy", "etag", "cache-control"])
      if (answer.headers.has(name)) headers[name] = answer.headers.get(name);
    files.set(path, {headers, body: Buffer.from(await answer.arrayBuffer())});
  }
  return files;
}

module.exports = {BusyShop, filesOf};
