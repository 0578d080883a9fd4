import { names } from "../../drills/names.ts";
import { engineId } from "../../local/aws/rds.ts";
import { DatabaseError } from "../../local/postgres/session.ts";
import type { Stage } from "./platform.ts";
import type { Story } from "./stories.ts";

const [application = ""] = names.roles;
const forgotten = 100;

/** Forgotten transactions eat the connections; a migration is among those who are silent. */
export const connectionsStory: Story = {
  playbook: "database-connections",
  deed: "end-sessions",
  options: {
    writesPerSecond: 0.1,
    instances: 2,
    rights: { "database-connections": "automatic" },
    config: (config) => ({ ...config, sessions: { forgottenSeconds: 60 } }),
    connections: {
      most: 100,
      reserved: 6,
      mayUseReserve: (user) => user === names.nightshiftLogin,
    },
  },
  ends: { end: "done", code: "healed" },
  arrange: async (at) => {
    // What a filter on the database's log would have counted.
    await at.cloud.ask("cloudwatch", "PutMetricData", at.region, {
      Namespace: "Nightshift/Database",
      MetricData: [{ MetricName: "ConnectionsRefused", Value: 0 }],
    });
    const id = engineId(at.region, at.platform.home.databaseId);
    at.engine.forget(id, { user: application, application: "alembic", sessions: 2 });
    at.engine.forget(id, { user: application, application: "ledger", sessions: forgotten });
    const before = silentIn(at, id);
    return {
      wrongs: async () => {
        const now = silentIn(at, id);
        const wrong = now.alembic === before.alembic ? [] : [`${now.alembic} of alembic are left`];
        // Three fifths of what there is room for is where it ends, and the same list ends nobody else.
        return now.ledger < 40 ? [...wrong, `only ${now.ledger} of the ledger are left`] : wrong;
      },
    };
  },
};

const silentIn = (at: Stage, id: string): { alembic: number; ledger: number } => {
  const session = at.engine.session(id, { user: names.nightshiftLogin, from: at.region });
  if (session instanceof DatabaseError) throw session;
  const silent = session.activity().filter(({ state }) => state !== "idle");
  session.end();
  const count = (name: string) => silent.filter((each) => each.application === name).length;
  return { alembic: count("alembic"), ledger: count("ledger") };
};
