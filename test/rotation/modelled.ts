import { afterEach } from "vitest";
import { installTime } from "../../local/time/install.ts";
import type { Timeline } from "../../local/time/timeline.ts";
import { virtualTimeline } from "../../local/time/virtual.ts";
import type { Authenticate } from "../../shared/runtime.ts";
import { fakeServer } from "./server.ts";
import { firstRoles, firstValues, type Schedules, type SealedWorld, stage } from "./stage.ts";
import type { Blow } from "./striking.ts";

/** Gives the process its own time back. */
let restore: (() => void) | undefined;
afterEach(() => restore?.());

interface Wanted {
  blow?: Blow;
  look?(): void;
  authenticate?: Authenticate;
  values?: Record<string, object>;
  sealed?(timeline: Timeline): Promise<SealedWorld>;
  schedules?: Schedules;
}

/** The rotation function in virtual time, on a database that is a fake. */
export const modelled = async ({ values = firstValues(), sealed, ...more }: Wanted = {}) => {
  const timeline = virtualTimeline(Date.UTC(2026, 10, 22, 3));
  const server = fakeServer();
  for (const [name, role] of firstRoles())
    server.roles.set(name, { ...role, memberOf: [...role.memberOf] });
  restore?.();
  restore = installTime(timeline);
  const given = { timeline, connect: server.connect, values, ...more };
  const world = sealed ? { sealed: await timeline.run(sealed(timeline)) } : {};
  const at = await timeline.run(stage({ ...given, ...world }));
  await timeline.advance(60_000);
  if (!at.isReady()) throw new Error("a secret is still being tried out");
  return {
    ...at,
    timeline,
    server,
    /** Asks for a rotation, and waits until Secrets Manager has given up or is through. */
    rotated: async (secret: string, version: string, seconds = 3600) => {
      at.ask(secret, version);
      await timeline.advance(seconds * 1000);
    },
    /** For what is called while time passes. */
    meanwhile: { handle: at.handle, inStandby: at.inStandby },
    handle: (event: unknown) => timeline.run(at.handle(event)),
    inStandby: (event: unknown) => timeline.run(at.inStandby(event)),
    /** Whether the database takes what `label` of the secret has. */
    opens: (secret: string, label?: string): boolean => {
      const { username = "", password = "" } = at.value(secret, label);
      return server.opens(username, password);
    },
  };
};
