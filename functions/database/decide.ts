import * as z from "zod/mini";

/** What may be asked of the database function. Anything else is refused before a connection is made. */
export const request = z.discriminatedUnion("do", [
  z.strictObject({ do: z.literal("prepare") }),
  z.strictObject({
    do: z.literal("heartbeat"),
    region: z.string(),
    epoch: z.int(),
    writtenAtMilliseconds: z.int(),
    contactAtMilliseconds: z.int(),
  }),
  z.strictObject({ do: z.literal("position") }),
  z.strictObject({ do: z.literal("logins") }),
  z.strictObject({ do: z.literal("fence"), epoch: z.optional(z.int()) }),
  z.strictObject({ do: z.literal("liftFence"), epoch: z.optional(z.int()) }),
  z.strictObject({ do: z.literal("probeWrite"), epoch: z.int() }),
]);

export type DatabaseRequest = z.infer<typeof request>;

/*
 * The epoch of `fence` is kept with the roles that it closes, and `liftFence` with an older one is
 * refused: whoever read the lease before it moved, and was slow, must not open what was closed since.
 * Without an epoch, which is a person's word, a fence is always lifted.
 */

/** Where a server stands. Milliseconds are the guard's clock at the time of the heartbeat. */
export interface Position {
  recovery: boolean;
  lsn: string;
  heartbeat: {
    region: string;
    epoch: number;
    writtenAtMilliseconds: number;
    contactAtMilliseconds: number;
  } | null;
}

export interface Logins {
  roles: { role: string; canLogin: boolean; sessions: number }[];
}

export interface DatabaseAnswers {
  prepare: Record<string, never>;
  heartbeat: { lsn: string };
  position: Position;
  logins: Logins;
  fence: Logins & { ended: number; lsn: string };
  liftFence: Logins;
  probeWrite: { epoch: number };
}

/** A fence holds when no role of the application can log in and none has a session left. */
export const isFenced = ({ roles }: Logins): boolean =>
  roles.length > 0 && roles.every((role) => !role.canLogin && role.sessions === 0);

/** The application can work when every one of its roles can log in. */
export const isOpen = ({ roles }: Logins): boolean =>
  roles.length > 0 && roles.every((role) => role.canLogin);
