import { automationPolicies } from "./policies/automation.ts";
import { databasePolicies } from "./policies/database.ts";
import { encryptionPolicies } from "./policies/encryption.ts";
import { forwardingPolicies } from "./policies/forwarding.ts";
import { independence } from "./policies/independence.ts";
import { keepsakePolicies } from "./policies/keepsakes.ts";
import { metricPolicies } from "./policies/metrics.ts";
import { movePolicies } from "./policies/moves.ts";
import { numberPolicies } from "./policies/numbers.ts";
import { orderPolicies } from "./policies/order.ts";
import { placePolicies } from "./policies/places.ts";
import { reachPolicies } from "./policies/reach.ts";
import { trafficPolicies } from "./policies/traffic.ts";
import { managedPolicies, wildcards } from "./policies/wildcards.ts";
import type { Recording } from "./recording.ts";

/** What must hold for every deployment, as a function over what would be deployed. */
export interface Policy {
  /** A sentence: `nothing is public but the load balancer`. */
  name: string;
  check(recording: Recording): Violation[];
}

export interface Violation {
  /** The resource's name in the stacks. */
  resource: string;
  problem: string;
}

/** Every policy. A test shows that each one can be broken. */
export const policies: readonly Policy[] = [
  ...reachPolicies,
  ...encryptionPolicies,
  ...keepsakePolicies,
  ...numberPolicies,
  ...databasePolicies,
  ...trafficPolicies,
  ...placePolicies,
  ...orderPolicies,
  ...movePolicies,
  wildcards,
  managedPolicies,
  independence,
  ...metricPolicies,
  ...automationPolicies,
  ...forwardingPolicies,
];
