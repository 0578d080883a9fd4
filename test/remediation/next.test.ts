import { describe, expect, it } from "vitest";
import { playbooks } from "../../functions/remediation/playbooks.ts";

describe.each(playbooks.map((one) => [one.name, one] as const))("%s", (_name, one) => {
  it("decides about every finding that it has a deed for, and about no other", () => {
    const withDeed = Object.entries(one.next).flatMap(([is, next]) =>
      next === "deed" ? [is] : [],
    );
    expect(withDeed.toSorted()).toEqual(Object.keys(one.decide).toSorted());
  });

  it("never passes on, waits for or acts upon what it does not know", () => {
    expect(one.next.unknown).toBe("again");
  });
});
