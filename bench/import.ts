/** A fresh process that imports one module and says how long that took, as one line of JSON. */
import { pathToFileURL } from "node:url";

export interface Imported {
  wallMilliseconds: number;
  /** Of all threads: more than the wall time where the engine compiles on a second core. */
  processorMilliseconds: number;
}

const [wall, used] = [performance.now(), process.cpuUsage()];
await import(pathToFileURL(process.argv[2] ?? "").href);
const { user, system } = process.cpuUsage(used);
const imported: Imported = {
  wallMilliseconds: performance.now() - wall,
  processorMilliseconds: (user + system) / 1000,
};
process.stdout.write(JSON.stringify(imported));
