import { describe, expect, it } from "vitest";
import type { Deed } from "../../functions/remediation/actions.ts";
import type { Look } from "../../functions/remediation/evidence.ts";
import { countedFrom } from "../../functions/remediation/evidence.ts";
import type { Evidence } from "../../functions/remediation/playbooks.ts";
import { playbooks } from "../../functions/remediation/playbooks.ts";

const minute = 60_000;
const at = Date.UTC(2026, 10, 22, 3, 0, 0);

const seeing = (values: Record<string, unknown>): Evidence<Look> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      name,
      { known: true, value, source: name, atMilliseconds: at },
    ]),
  ) as unknown as Evidence<Look>;

const judged = (name: string, before: object, now: object, deed: Deed): string => {
  const one = playbooks.find((playbook) => playbook.name === name);
  if (!one) throw new Error(`there is no playbook ${name}`);
  return one.proof.judge(seeing({ ...before }), seeing({ ...now }), deed).is;
};

const ids = ["i-0000000000000001", "i-0000000000000002", "i-0000000000000003"];

const fleet = (sick: number, errors: number) => ({
  targets: ids.map((id, index) => ({
    id,
    state: index < sick ? "unhealthy" : "healthy",
    reason: "",
  })),
  group: {
    desired: 3,
    instances: ids.map((id) => ({ id, zone: "a", lifecycle: "InService", healthy: true })),
  },
  service: { minutes: 4, requests: 100, errors },
});

const replace: Deed = {
  do: "replace-instance",
  target: { group: "platform", instance: "i-0000000000000001" },
};

describe("an exchanged host", () => {
  it.each([
    [0, "healed"],
    [1, "healed"],
    // Less than before, and still far more than its alarm lets pass.
    [34, "same"],
    [60, "worse"],
  ])("of a fleet in which %d of 100 requests fail, after 40 before, is %s", (errors, is) => {
    expect(judged("unhealthy-host", fleet(1, 40), fleet(0, errors), replace)).toBe(is);
  });
});

describe("metrics that prove a deed", () => {
  it("are those of the last minutes where nothing was done", () => {
    expect(countedFrom(at, 4)).toBe(at - 4 * minute);
    expect(countedFrom(at, 4, null)).toBe(at - 4 * minute);
  });

  it("leave out the minutes before the deed, its own, and the one in which it came about", () => {
    const deed = at - 3 * minute - 20_000;
    expect(countedFrom(at, 4, deed)).toBe(at - 2 * minute);
    expect(countedFrom(at, 4, at - 30 * minute)).toBe(at - 4 * minute);
  });

  it("are unknown while no whole minute has been measured since", () => {
    expect(() => countedFrom(at, 4, at - 2 * minute)).toThrow("no whole minute");
    expect(countedFrom(at, 4, at - 3 * minute)).toBe(at - 2 * minute);
  });
});
