import type { Stage } from "./stage.ts";

/** Whether nothing runs any more. */
export const isIdle = (at: Pick<Stage, "executions">): boolean =>
  at.executions().length > 0 && at.executions().every(({ status }) => status !== "RUNNING");
