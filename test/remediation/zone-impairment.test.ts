import { expect, it } from "vitest";
import { stage } from "./stage.ts";

it("says how to shift away from a zone that is lost, with its figures, and touches nothing", async () => {
  const rights = { "zone-impairment": "shadow", "unhealthy-host": "automatic" } as const;
  const at = await stage({ writesPerSecond: 1, instances: 6, rights });
  const before = await at.serving();
  const zone = `${at.region}a`;
  const sick = { region: at.region, availabilityZone: zone };
  at.cloud.fleet.ail(sick, { is: "errors" });
  await at.timeline.advance(240_000);
  at.cloud.fleet.ail(sick, { is: "unready" });
  await at.until("people are called", () => at.results().some(({ end }) => end === "needs-human"));
  const result = at.results().find(({ end }) => end === "needs-human");
  expect(result).toMatchObject({ playbook: "zone-impairment", acts: 0 });
  const said = result?.notes.join(" ") ?? "";
  expect(said).toContain("aws arc-zonal-shift start-zonal-shift");
  expect(said).toContain(`--zone-names ${zone}`);
  expect(said).toContain("--expires-in 2h");
  expect(said).toContain("4 of 6 instances would be left");
  expect(await at.serving()).toEqual(before);
});
