// Packs and unpacks KPL records with aws-kinesis-agg: one JSON request a line in, one answer a line out.
//   {"pack": [{"partitionKey", "data" (base64), "explicitHashKey" (or absent)}]} -> {"data": base64}
//   {"unpack": base64} -> {"parts": [...]} as above, or {"error": text}
const readline = require("readline");
const kpl = require("aws-kinesis-agg");

function pack(parts) {
  const aggregator = new kpl.RecordAggregator();
  for (const part of parts) aggregator.addUserRecord({ ...part, data: Buffer.from(part.data, "base64") });
  return { data: aggregator.build().data.toString("base64") };
}

function unpack(data) {
  const parts = [];
  let failed;
  kpl.deaggregateSync({ data, sequenceNumber: "1", partitionKey: "x" }, true, (error, records) => {
    failed = failed || error;
    parts.push(...(records || []));
  });
  if (failed) return { error: String(failed) };
  return { parts: parts.map((p) => ({ partitionKey: p.partitionKey, data: p.data, explicitHashKey: p.explicitPartitionKey })) };
}

readline.createInterface({ input: process.stdin }).on("line", (line) => {
  const request = JSON.parse(line);
  console.log(JSON.stringify(request.pack ? pack(request.pack) : unpack(request.unpack)));
});
