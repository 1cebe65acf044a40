// How much longer a session took than its workers made it: its makespan over the longest chain of workers.
//
//   node .ci/makespan.mjs FILE     FILE: what `orchestrate … --json` printed
//
// A chain is a row of workers of which each starts after the one before has ended; the longest is the one whose
// workers took the most time together. The makespan runs from the first entry to the last worker's or job's end.
import { readFileSync } from "node:fs";

const entries = readFileSync(process.argv[2], "utf8")
  .split("\n")
  .filter((line) => line.trim() !== "")
  .map((line) => JSON.parse(line))
  .filter((line) => line.event !== undefined);
if (entries.length === 0) throw new Error("no journal entry in the file");

const at = (entry) => Date.parse(entry.at);
const workers = new Map();
let end = at(entries[0]);
for (const entry of entries) {
  const { type, worker } = entry.event;
  if (type === "worker_started") workers.set(worker, { begin: at(entry), end: null });
  if (type === "worker_ended" && workers.has(worker)) workers.get(worker).end = at(entry);
  if (type === "worker_ended" || type === "job_ended") end = at(entry);
}

const spans = [...workers.values()].filter((span) => span.end !== null).sort((a, b) => a.end - b.end);
const best = [];
for (const [i, span] of spans.entries()) {
  let before = 0;
  for (let j = 0; j < i; j++) if (spans[j].end <= span.begin) before = Math.max(before, best[j]);
  best.push(before + span.end - span.begin);
}
const chain = Math.max(0, ...best);
const makespan = end - at(entries[0]);
const seconds = (ms) => `${(ms / 1000).toFixed(2)} s`;
console.log(`${"demo: workers".padEnd(46)} ${spans.length}`);
console.log(`${"demo: longest chain of workers".padEnd(46)} ${seconds(chain)}`);
console.log(
  `${"demo: makespan".padEnd(46)} ${seconds(makespan)} (${((makespan / chain - 1) * 100).toFixed(1)} % over the chain)`,
);
