import { describe, expect, it } from "vitest";
import { buttonOf } from "../../local/slack/operators.ts";
import { approvesQuickly, rejectsQuickly, type Stage, stage } from "./stage.ts";
import { storageStory } from "./story-platform.ts";

const questions = (at: Stage) =>
  at.slack.messages().filter(({ text }) => text.includes("May this be done in"));

const untilAsked = (at: Stage) => at.until("a question", () => questions(at).length > 0);

const hasButtons = (message: Parameters<typeof buttonOf>[0]): boolean =>
  buttonOf(message, "approve") !== undefined;

describe("a question to people", () => {
  it("is a message of its own that calls those who may answer, with its buttons until then", async () => {
    const at = await stage({ rights: { "unhealthy-host": "ask" } });
    const { ids } = await at.sicken();
    await untilAsked(at);
    const [asked] = questions(at);
    expect(asked?.text).toContain("<@U0ANA>");
    expect(asked?.text).toContain(`end ${ids[0]}`);
    expect(asked && hasButtons(asked)).toBe(true);
    expect(asked?.threadTs).toBeUndefined();
    const others = at.slack.messages().filter(({ ts }) => ts !== asked?.ts);
    expect(others.filter(hasButtons)).toEqual([]);
    expect(asked?.ts).not.toBe((await at.incident())?.message?.ts);
  });

  it.each([
    { person: approvesQuickly, says: "Approved by <@U0ANA>." },
    { person: rejectsQuickly, says: "Rejected by <@U0ANA>." },
  ])("loses its buttons once it is answered: $says", async ({ person, says }) => {
    const at = await stage({ rights: { "unhealthy-host": "ask" }, people: [person] });
    await at.sicken();
    await at.ended();
    const [asked, ...more] = questions(at);
    expect(more).toEqual([]);
    expect(asked?.text).toContain(says);
    expect(asked && hasButtons(asked)).toBe(false);
  });

  it("is repeated aloud once when half of its time is over, and closed when nobody answers", async () => {
    const at = await stage({ rights: { "unhealthy-host": "ask" } });
    await at.sicken();
    await at.ended();
    const [asked] = questions(at);
    const below = at.slack.messages().filter(({ threadTs }) => threadTs === asked?.ts);
    expect(below).toHaveLength(1);
    expect(below[0]?.text).toContain("<@U0ANA>");
    const minutes = ((below[0]?.atMilliseconds ?? 0) - (asked?.atMilliseconds ?? 0)) / 60_000;
    const half = at.platform.config.failover.approvalExpirySeconds / 120;
    expect(Math.abs(minutes - half)).toBeLessThan(2);
    expect(asked && hasButtons(asked)).toBe(false);
    expect(asked?.text).toContain("Nobody has approved it in time");
  });

  it("is put up once Slack answers again, while the request stands", async () => {
    const at = await stage({ rights: { "unhealthy-host": "ask" } });
    at.slack.silence(true);
    await at.sicken();
    await at.until("the request", async () =>
      (await at.journal()).some(({ key }) => key === "asked"),
    );
    await at.timeline.advance(180_000);
    expect(questions(at)).toEqual([]);
    at.slack.silence(false);
    await untilAsked(at);
    expect(questions(at).map(hasButtons)).toEqual([true]);
  });
});

describe("a run in shadow whose incident has gone on", () => {
  it("leaves the incident's message and another run's question alone", async () => {
    const at = await stage({
      rights: { "database-storage": "shadow", "unhealthy-host": "ask" },
      instances: 4,
    });
    await storageStory.arrange(at);
    await at.until("the shadow has said it", async () =>
      (await at.journal()).some(({ key }) => key === "would"),
    );
    await at.sicken();
    await untilAsked(at);
    const one = async () => {
      const ts = (await at.incident())?.message?.ts;
      return at.slack.messages().find((message) => message.ts === ts);
    };
    const [shadow] = at.executions();
    const before = (await one())?.text;
    expect(before).toContain("unhealthy-hosts");
    await at.until("the shadow has ended", () => shadow?.status === "SUCCEEDED" || isOver(at));
    await at.timeline.advance(5000);
    expect((await one())?.text).toContain("unhealthy-hosts");
    const below = at.slack.messages().filter(({ threadTs }) => threadTs !== undefined);
    expect(below.map(({ text }) => text).join("\n")).toMatch(/database-storage.*(needed|shadow)/);
  });
});

const isOver = (at: Stage): boolean =>
  at.results().some(({ playbook }) => playbook === "database-storage");
