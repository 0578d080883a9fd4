import { describe } from "vitest";
import { trafficPolicies } from "../../deploy/policies/traffic.ts";
import type { Break } from "./breaks.ts";
import { itHolds, set, without } from "./breaks.ts";

const one = (what: string, name: string, path: string, value: unknown, says: RegExp): Break => ({
  what,
  policy: "explicit word",
  change: set(name, path, value),
  says,
});

const breaks: Break[] = [
  one("a check that is not inverted", "Moved", "invertHealthcheck", false, /invertHealthcheck/),
  one("a check that needs both words", "Moved", "childHealthThreshold", 2, /childHealthThreshold/),
  one(
    "a check that hears one region",
    "Moved",
    "childHealthchecks",
    ["StandbySaysActive-id"],
    /HomeSays/,
  ),
  one(
    "a check for another word",
    "StandbySaysActive",
    "searchString",
    "ok",
    /searchString is "ok"/,
  ),
  one("a check of another region", "HomeSaysRenounced", "fqdn", "example.com", /fqdn/),
  one("a slower check", "HomeSaysRenounced", "requestInterval", 30, /requestInterval is 30/),
  one(
    "a SECONDARY with a check",
    "PublicNameInStandby",
    "healthCheckId",
    "Moved-id",
    /healthCheckId/,
  ),
  one("a PRIMARY without one", "PublicNameInPrimary", "healthCheckId", undefined, /healthCheckId/),
  one(
    "records the other way round",
    "PublicNameInPrimary",
    "failoverRoutingPolicies",
    [{ type: "SECONDARY" }],
    /PublicNameInPrimary is not PRIMARY/,
  ),
  one("an alias in the place of a name", "PublicNameInPrimary", "type", "A", /type is "A"/),
  one(
    "a region's name that follows its instances",
    "RegionalNameInPrimary",
    "aliases.0.evaluateTargetHealth",
    true,
    /follows the health/,
  ),
  one(
    "a standby that begins as the active one",
    "RoleRuleInStandby",
    "actions.0.fixedResponse.messageBody",
    "active",
    /RoleRuleInStandby says active/,
  ),
  one(
    "a role rule on another path",
    "RoleRuleInPrimary",
    "conditions.0.pathPattern.values",
    ["/*"],
    /answers on/,
  ),
  one(
    "a certificate that is not for the region's own name",
    "TlsCertificateInStandby",
    "subjectAlternativeNames",
    [],
    /TlsCertificateInStandby is not for eu-west-1\.app\.example\.com/,
  ),
  {
    what: "that nobody listens to the home region",
    policy: "explicit word",
    change: without("HomeSaysRenounced"),
    says: /HomeSaysRenounced is not there/,
  },
];

describe("where the public name leads", () => itHolds(trafficPolicies, breaks));
