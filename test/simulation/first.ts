import { world } from "./world.ts";

const t0 = process.hrtime.bigint();
const w = await world({ seed: 1 });
const ms = () => Number(process.hrtime.bigint() - t0) / 1e6;
console.log("built", ms().toFixed(1));
w.users.start();
await w.timeline.advance(150_000);
console.log("baseline", ms().toFixed(1), w.users.report(), w.bugs);
w.regions.set(w.platform.home.region, "dead");
const incident = w.timeline.now();
let exec;
for (let i = 0; i < 60; i++) {
  await w.timeline.advance(30_000);
  exec = w.cloud.functions.executions(w.platform.standby.region, "failover")[0];
  const last = w.slack.messages().at(-1)?.text;
  if (process.env.V) console.log((w.timeline.now() - incident) / 1000, exec?.status, last);
  if (exec && exec.status !== "RUNNING") break;
}
console.log(
  "done",
  ms().toFixed(1),
  exec?.status,
  exec?.result ?? exec?.error,
  w.bugs.slice(0, 3),
  (w.timeline.now() - incident) / 1000,
);
console.log(w.users.report());
console.log(w.lines.slice(-5));
await w.close();
