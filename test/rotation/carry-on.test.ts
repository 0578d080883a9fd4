import { describe, expect, it } from "vitest";
import { scramVerifier } from "../../functions/rotation/scram.ts";
import { systemRandom } from "../../shared/random.ts";
import { rotationRun } from "../../shared/rotation.ts";
import { modelled } from "./modelled.ts";
import { names, token } from "./stage.ts";

type At = Awaited<ReturnType<typeof modelled>>;

const run = rotationRun(names.database, token(1));

/** As whoever ends overlaps writes it when it gives up. */
const givesUp = (at: At, prefix = "") =>
  at.timeline.run(
    at.append(run, { key: `${prefix}ended: needs-human`, kind: "did", text: "still in use" }),
  );

const begin = (number: number) => ({
  do: "begin",
  secret: names.database,
  token: token(number),
  by: "U0ANA",
  reason: "the sessions are gone",
});

const again = (at: At) => at.orders.at(-1)?.again;

describe("an overlap whose old value could not be retired", () => {
  it("is carried on when somebody asks for a rotation, by the next execution of its run", async () => {
    const at = await modelled();
    await at.rotated(names.database, token(1));
    expect(again(at)).toBe(0);
    expect(await at.handle(begin(2))).toMatchObject({ refused: { code: "in-overlap" } });
    expect(again(at)).toBe(0);
    await givesUp(at);
    const told = await at.handle(begin(2));
    expect(told).toHaveProperty("did", expect.stringContaining(`The overlap of ${run}`));
    expect(again(at)).toBe(1);
    // Asked again while that one is at work, it is the same execution.
    await at.handle(begin(3));
    expect(again(at)).toBe(1);
    await givesUp(at, "again 1: ");
    await at.handle(begin(4));
    expect(again(at)).toBe(2);
  });

  it("is carried on by the next rotation of the clock, which would be refused for ever", async () => {
    const at = await modelled();
    await at.rotated(names.database, token(1));
    await givesUp(at);
    await at.rotated(names.owner, token(2), 600);
    expect(at.failures.at(-1)).toContain("in-overlap");
    expect(at.orders.at(-1)).toMatchObject({ run, secret: names.database, again: 1 });
    await at.handle({ do: "retire", secret: names.database, token: token(1) });
    await at.handle({ ...begin(3), secret: names.owner });
    await at.timeline.advance(3_600_000);
    expect(at.opens(names.owner)).toBe(true);
    expect(at.value(names.owner).VersionId).toMatch(/^version-/);
  });
});

it("rotates the application's login while the owner's new password has no label but AWSPENDING", async () => {
  const at = await modelled();
  const password = "owner-that-is-pending-01234567";
  at.secrets("PutSecretValue", {
    SecretId: names.owner,
    ClientRequestToken: token(9),
    VersionStages: ["AWSPENDING"],
    SecretString: JSON.stringify({ username: "platform_owner", password }),
  });
  const owner = at.server.roles.get("platform_owner");
  if (owner) owner.verifier = scramVerifier(password, systemRandom);
  expect([at.opens(names.owner), at.opens(names.owner, "AWSPENDING")]).toEqual([false, true]);
  await at.rotated(names.database, token(1));
  expect(at.failures).toEqual([]);
  expect(at.value(names.database)).toMatchObject({ VersionId: token(1), username: "app_b" });
  expect(at.opens(names.database)).toBe(true);
});
