import type { Action } from "./actions.ts";

/** Deeds on what serves users, and what they are done to. */
export interface ApplicationTargets {
  /** Ends a deploy that is under way, and replaces again what it has replaced. */
  "rollback-refresh": { group: string; refresh: string; toVersion: string };
  /** Starts the application's container on one instance anew, if it is still the one that was seen. */
  "restart-container": { group: string; instance: string; startedAt: string };
}

export interface RefreshStanding {
  /** The newest; null when there never was one. */
  id: string | null;
  status: string;
  minimum: number;
  desired: number;
  maximum: number;
  launchTemplate: string;
}

export interface ContainerStanding {
  lifecycle: string | null;
  target: string | null;
  /** Null while there is no container. */
  startedAt: string | null;
  launchTemplate: string;
}

/** Their calls, in `hands-application-aws.ts`. */
export interface ApplicationHands {
  refresh(group: string): Promise<RefreshStanding>;
  rollbackRefresh(group: string): Promise<void>;
  container(group: string, instance: string): Promise<ContainerStanding>;
  restartContainer(instance: string, startedAt: string): Promise<void>;
  /** Whether its answers differ from those of the other targets. */
  isAnomalous(instance: string): Promise<boolean>;
}

/** Only these can be rolled back. Source: "Undo changes with a manual or auto rollback", Auto Scaling. */
const underWay = ["Pending", "InProgress", "Baking"];

export const rollbackRefresh = {
  irreversible: false,
  takesFromFleet: false,
  says: ({ group, refresh, toVersion }) =>
    `roll back the deploy ${refresh} of ${group} to version ${toVersion}`,
  resource: ({ refresh }) => `refresh:${refresh}`,
  malformed: ({ group, refresh, toVersion }) =>
    group !== "" && refresh !== "" && /^\d+$/.test(toVersion)
      ? null
      : `"${refresh}" of "${group}" to "${toVersion}"`,
  declares: ["status"],
  observe: async (hands, { group, refresh }) => {
    const { id, status, ...rest } = await hands.refresh(group);
    const isSame = id === refresh;
    const isDone = isSame && status === "RollbackSuccessful";
    const isUnderWay = isSame && status === "RollbackInProgress";
    const isOther = !isDone && !isUnderWay && !(isSame && underWay.includes(status));
    const changed = isSame ? `${refresh} is ${status} by now` : `${id} is the newest deploy by now`;
    return {
      fields: { refresh: id, status, ...rest },
      isDone,
      isUnderWay,
      changed: isOther ? changed : null,
    };
  },
  perform: (hands, { group }) => hands.rollbackRefresh(group),
  // What was replaced is replaced again, batch after batch, each with its boot and its warm-up.
  withinSeconds: 2700,
} satisfies Action<"rollback-refresh">;

export const restartContainer = {
  irreversible: false,
  takesFromFleet: true,
  says: ({ group, instance }) => `restart the application's container on ${instance} of ${group}`,
  resource: ({ instance }) => `instance:${instance}`,
  malformed: ({ group, instance, startedAt }) => {
    const isNamed = group !== "" && /^i-[0-9a-f]{8,17}$/.test(instance);
    return isNamed && startedAt !== "" ? null : `"${instance}" of "${group}"`;
  },
  declares: ["startedAt", "target"],
  observe: async (hands, { group, instance, startedAt }) => {
    const seen = await hands.container(group, instance);
    const isMember = seen.lifecycle === "InService";
    const isAnother = seen.startedAt !== null && seen.startedAt !== startedAt;
    return {
      fields: { ...seen },
      isDone: isMember && isAnother,
      isUnderWay: seen.startedAt === null,
      changed: isMember ? null : `${instance} is ${seen.lifecycle ?? "gone"} by now`,
    };
  },
  perform: (hands, { instance, startedAt }) => hands.restartContainer(instance, startedAt),
  withinSeconds: 300,
} satisfies Action<"restart-container">;
