import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Account } from "./binaries.ts";

type Act =
  | { act: "initialise"; native: string; folder: string; user: string; password: string }
  | { act: "start"; id: string; native: string; folder: string; settings: string[] }
  | { act: "stop"; id: string }
  | { act: "kill"; id: string }
  | { act: "copy"; from: string; to: string; leaveOut: string[]; emptied: string[] }
  | { act: "write"; path: string; text: string }
  | { act: "remove"; path: string };

export type KeeperRequest = Act & { number: number };
export interface KeeperAnswer {
  number: number;
  error?: string;
}

export interface Processes {
  /** Rejects with what PostgreSQL said on its log when it could not be done. */
  ask(request: Act): Promise<void>;
  /** Stops every server, removes the folder, and ends the keeper. Safe to call twice. */
  close(): Promise<void>;
}

/** Starts the keeper of all PostgreSQL processes below `folder`, see keeper.ts. */
export const processes = (folder: string, account: Account | undefined): Processes => {
  const child = startKeeper(folder, account);
  const waiting = new Map<number, { resolve: () => void; reject: (error: Error) => void }>();
  let asked = 0;
  let closing: Promise<void> | undefined;
  const ended = once(child, "exit").then(() => {
    for (const { reject } of waiting.values()) {
      reject(new Error("the keeper of the PostgreSQL processes has ended"));
    }
    waiting.clear();
  });
  child.on("message", (answer: KeeperAnswer) => {
    const caller = waiting.get(answer.number);
    waiting.delete(answer.number);
    if (answer.error === undefined) caller?.resolve();
    else caller?.reject(new Error(answer.error));
  });
  const ask = (request: Act): Promise<void> =>
    new Promise((resolve, reject) => {
      const number = ++asked;
      if (!child.connected) return reject(new Error("the keeper of the PostgreSQL has ended"));
      waiting.set(number, { resolve, reject });
      child.send({ ...request, number });
    });
  return {
    ask,
    close: () => {
      // The parting of the IPC channel is what the keeper cleans up on, asked or not.
      closing ??= Promise.resolve().then(() => {
        if (child.connected) child.disconnect();
        return ended;
      });
      return closing;
    },
  };
};

/** In a session of its own, so that a Ctrl-C at the terminal reaches the parent alone. */
const startKeeper = (folder: string, account: Account | undefined): ChildProcess => {
  const keeper = fileURLToPath(new URL("keeper.ts", import.meta.url));
  const identity = account ? [String(account.uid), String(account.gid)] : [];
  return spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", keeper, folder, ...identity],
    {
      detached: true,
      env: { PATH: process.env.PATH },
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    },
  );
};
