// Both boards of a file of events, by DuckDB in memory: node boards.js FILE
// Prints {"seconds": ..., "scores": {role: {userId: score}}}. Each product's first line must be its registration.
const { DuckDBInstance } = require("@duckdb/node-api");

const EVENTS = (path) => `
    CREATE TABLE events AS
    SELECT data.id AS id, split_part(data.schema, '/', 3) AS kind, origin
    FROM read_json('${path}', format = 'newline_delimited',
        columns = {origin: 'VARCHAR', data: 'STRUCT(schema VARCHAR, id VARCHAR)'})`;
// rowid is the number of the line
const BOARD = (kind) => `
    WITH firsts AS (SELECT id, min(rowid) AS line, arg_min(origin, rowid) AS userId FROM events WHERE kind = '${kind}' GROUP BY id)
    SELECT userId, count(*)::INTEGER AS score FROM events JOIN firsts USING (id)
    WHERE kind = 'purchase' AND events.rowid > firsts.line GROUP BY userId`;

async function main(path) {
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    const begin = process.hrtime.bigint();
    await connection.run(EVENTS(path));
    const boards = {};
    for (const [role, kind] of [["creator", "create"], ["photographer", "image"]])
        boards[role] = Object.fromEntries((await connection.runAndReadAll(BOARD(kind))).getRows());
    console.log(JSON.stringify({ seconds: Number(process.hrtime.bigint() - begin) / 1e9, scores: boards }));
}

main(process.argv[2]);
