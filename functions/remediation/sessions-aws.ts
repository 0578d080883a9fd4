import { CloudWatchClient, GetMetricDataCommand } from "@aws-sdk/client-cloudwatch";
import { DescribeSecretCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";
import { clientOptions, invocation } from "../../shared/clients.ts";
import { invoker } from "../../shared/invoke.ts";
import type { Runtime } from "../../shared/runtime.ts";
import { linked } from "../../shared/runtime.ts";
import type { DatabaseAnswers, DatabaseRequest, FrozenSession } from "../database/decide.ts";
import { remainingOf } from "../database/decide.ts";
import type { Targets } from "./actions.ts";
import type { RemediatedLink } from "./aws.ts";
import { changeByFunction } from "./bounds.ts";
import type { LoginSeen, RefusalsSeen, SessionsSeen } from "./evidence.ts";
import { countedFrom } from "./evidence.ts";
import type { Subject } from "./playbooks.ts";

/** Forgotten for sure, and far above what `idle_in_transaction_session_timeout` lets through. */
const usualForgottenSeconds = 300;

/** Asks the database function, which is linked where it is deployed: a look without it is unknown. */
export const asking = (runtime: Runtime, region: string, bounds = invocation) => {
  const functions = invoker(runtime, bounds);
  return async <Do extends DatabaseRequest["do"]>(
    request: Extract<DatabaseRequest, { do: Do }>,
  ): Promise<DatabaseAnswers[Do]> => {
    const { name } = linked<{ name: string }>(runtime, "DatabaseFunction");
    return functions.ask<DatabaseAnswers[Do]>(region, name, request);
  };
};

export const sessionHands = (runtime: Runtime, region: string) => {
  const ask = asking(runtime, region);
  const change = asking(runtime, region, changeByFunction);
  return {
    sessionsLeft: async (sessions: readonly FrozenSession[], idleSeconds: number) => {
      const look = "idleInTransaction" as const;
      const answer = (await ask({ do: "examine", looks: [look], idleSeconds }))[look];
      if (!answer?.known) throw new Error(answer?.why ?? `the database did not answer ${look}`);
      return remainingOf(sessions, answer.value);
    },
    endSessions: async ({ sessions, atMost, idleSeconds }: Targets["end-sessions"]) => {
      await change({ do: "endSessions", sessions, atMost, idleSeconds });
    },
  };
};

const refusalMinutes = 3;
/** A log in which nothing happens gives no number at all; one that gave none for so long is not counted. */
const countedHours = 6;

export const sessionLooks = (runtime: Runtime, region: string, link: RemediatedLink) => {
  const ask = asking(runtime, region);
  const metrics = new CloudWatchClient(clientOptions(runtime, region));
  const secrets = new SecretsManagerClient(clientOptions(runtime, region));
  return {
    sessions: async (): Promise<SessionsSeen> => {
      const idleSeconds = runtime.config.sessions?.forgottenSeconds ?? usualForgottenSeconds;
      const looks: ["connections", "idleInTransaction", "blocking"] = [
        "connections",
        "idleInTransaction",
        "blocking",
      ];
      return { idleSeconds, seen: await ask({ do: "examine", looks, idleSeconds }) };
    },
    refusals: async (_subject: Subject, since?: number | null): Promise<RefusalsSeen> => {
      const { refusals } = link;
      if (!refusals) throw new Error("the metric of refused connections is not linked");
      const now = runtime.clock.now();
      const { MetricDataResults } = await metrics.send(
        new GetMetricDataCommand({
          StartTime: new Date(now - countedHours * 3_600_000),
          EndTime: new Date(now),
          MetricDataQueries: [
            {
              Id: "refused",
              MetricStat: {
                Metric: { Namespace: refusals.namespace, MetricName: refusals.name },
                Period: 60,
                Stat: "Sum",
              },
            },
          ],
        }),
      );
      const points = (MetricDataResults ?? []).flatMap(({ Timestamps, Values }) =>
        (Timestamps ?? []).map((at, index) => ({ at: at.getTime(), count: Values?.[index] ?? 0 })),
      );
      if (points.length === 0) throw new Error(`no refusals were counted in ${countedHours} hours`);
      const from = countedFrom(now, refusalMinutes + 1, since);
      const lately = points.filter(({ at }) => at >= from);
      const refused = lately.reduce((sum, { count }) => sum + count, 0);
      return { minutes: Math.min(refusalMinutes, Math.floor((now - from) / 60_000)), refused };
    },
    /** When, and never what: its value stays with those who log in by it. */
    login: async (): Promise<LoginSeen> => {
      const { secret } = link;
      if (secret === undefined) throw new Error("the application's secret is not linked");
      const { LastChangedDate } = await secrets.send(
        new DescribeSecretCommand({ SecretId: secret }),
      );
      return { secret, changedAtMilliseconds: LastChangedDate?.getTime() ?? null };
    },
  };
};
