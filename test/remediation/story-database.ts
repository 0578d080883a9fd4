import { engineId } from "../../local/aws/rds.ts";
import type { Script } from "../../local/slack/operators.ts";
import type { Stage } from "./platform.ts";
import type { Story } from "./stories.ts";

export const bothApprove: Script[] = [
  { user: "U0ANA", says: "approve", thinksSeconds: [20, 40] },
  { user: "U0BEN", says: "approve", thinksSeconds: [20, 40] },
];

/** Its process is gone, and RDS goes on saying that it is available. */
export const primaryDies = (at: Stage): Promise<void> =>
  at.engine.kill(engineId(at.region, at.platform.home.databaseId));

/** How often RDS has begun one, by its own events. */
export const failoversOf = async (at: Stage): Promise<number> => {
  const { Events } = await at.cloud.ask<{ Events: { Message: string }[] }>(
    "rds",
    "DescribeEvents",
    at.region,
    { SourceIdentifier: at.platform.home.databaseId, SourceType: "db-instance", Duration: 1440 },
  );
  return Events.filter(({ Message }) => Message === "Multi-AZ instance failover started.").length;
};

/** The primary of a Multi-AZ database says nothing, and RDS does not notice. */
export const primaryStory: Story = {
  playbook: "database-failover",
  deed: "reboot-with-failover",
  options: {
    // Fewer would not say how many of them fail.
    writesPerSecond: 0.3,
    instances: 2,
    rights: { "database-failover": "ask" },
    people: bothApprove,
  },
  ends: { end: "done", code: "healed" },
  arrange: async (at) => {
    await primaryDies(at);
    return {
      wrongs: async () => {
        const times = await failoversOf(at);
        return times > 1 ? [`it was failed over ${times} times`] : [];
      },
    };
  },
};
