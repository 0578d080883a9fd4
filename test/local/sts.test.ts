import { expect, it } from "vitest";
import { sts } from "../../local/aws/sts.ts";
import { account, around, asking } from "./asking.ts";

it("names the account of the local cloud", () => {
  const ask = asking(sts(around().surroundings).service);
  expect(ask("GetCallerIdentity", {})).toMatchObject({ Account: account });
});
