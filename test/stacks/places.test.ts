import { describe, expect, it } from "vitest";
import { placePolicies } from "../../deploy/policies/places.ts";
import { leaseId } from "../../shared/lease.ts";
import type { Break } from "./breaks.ts";
import { itHolds, like, set, turn } from "./breaks.ts";
import { recorded, the } from "./recordings.ts";

const designed = "region that it is designed for";
const alone = "leans on nothing";
const lease = "strongly consistent table";

const breaks: Break[] = [
  {
    what: "a standby's part in the primary region",
    policy: designed,
    change: turn("CacheInStandby", { region: "eu-central-1" }),
    says: /CacheInStandby is in eu-central-1, not in eu-west-1/,
  },
  {
    what: "something in a region of none of the three",
    policy: designed,
    change: turn("Journal", { region: "us-east-1" }),
    says: /Journal is in us-east-1, which is none of the three/,
  },
  {
    what: "a database in the region that only watches",
    policy: designed,
    change: (recording) => {
      like("PostgresInStandby", {})(recording);
      turn("AnotherPostgresInStandby", { region: "eu-west-2", name: "Third" })(recording);
    },
    says: /Third is in the witness region/,
  },
  {
    what: "a standby that needs a load balancer of the other region",
    policy: alone,
    change: set("ApplicationInStandby", "targetGroupArns", [
      "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/a/1",
    ]),
    says: /ApplicationInStandby leans on arn:aws:elasticloadbalancing:eu-central-1/,
  },
  {
    what: "a table that is not strongly consistent",
    policy: lease,
    change: set("Coordination", "replicas.0.consistencyMode", "EVENTUAL"),
    says: /Coordination is not STRONG in eu-west-1/,
  },
  {
    what: "a table with two voices",
    policy: lease,
    change: (recording) => {
      const { inputs } = the(recording, "Coordination");
      (inputs.replicas as unknown[]).pop();
    },
    says: /Coordination has replicas in eu-west-1/,
  },
  {
    what: "a witness that can be neither read nor written",
    policy: lease,
    change: set("Coordination", "globalTableWitness", { regionName: "eu-west-2" }),
    says: /globalTableWitness does not go with/,
  },
  {
    what: "a lease that begins elsewhere",
    policy: lease,
    change: set("FirstLease", "item", JSON.stringify({ id: { S: "lease" } })),
    says: /FirstLease region is not as it begins/,
  },
];

describe("where everything is", () => {
  itHolds(placePolicies, breaks);

  it("begins with the lease under the name that everybody reads it by", async () => {
    const { inputs } = the(await recorded("production"), "FirstLease");
    expect(JSON.parse(String(inputs.item)).id).toEqual({ S: leaseId });
  });
});
