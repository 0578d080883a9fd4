import { createInterface } from "node:readline";
import { buttonOf, operators, type Script } from "../local/slack/operators.ts";
import { render } from "../local/slack/render.ts";
import { buttonBody, commandBody, signed } from "../local/slack/signed.ts";
import { seededRandom } from "../shared/random.ts";
import type { DrillWorld } from "./world.ts";

/** Two operators who read the plan for a while and approve it. */
export const approvers: Script[] = [
  { user: "U0ANA", says: "approve", thinksSeconds: [20, 45] },
  { user: "U0BEN", says: "approve", thinksSeconds: [30, 70] },
];

/** Of this machine's time: the front door has three seconds before Slack gives up. */
const answerMilliseconds = 5000;

const post =
  (world: DrillWorld) =>
  async ({
    method,
    headers,
    body,
  }: {
    method: string;
    headers: Record<string, string>;
    body: string;
  }) => {
    const signal = AbortSignal.timeout(answerMilliseconds);
    const answer = await fetch(world.doorUrl, { method, headers, body, signal });
    return { status: answer.status, body: await answer.text() };
  };

/** A slash command of an operator, signed as Slack signs it. Throws when it was not taken. */
export const command = async (world: DrillWorld, user: string, text: string): Promise<string> => {
  const { place } = world.slack;
  const body = commandBody(place, { user }, text);
  const answer = await post(world)(signed(place.signingSecret, world.timeline.now(), body));
  if (answer.status !== 200) throw new Error(`"${text}" was answered with ${answer.status}`);
  return (JSON.parse(answer.body) as { text: string }).text;
};

/** People who press the signed buttons by themselves. */
export const scriptedPeople = (world: DrillWorld, seed: string, scripts: readonly Script[]) =>
  operators({
    slack: world.slack,
    timeline: world.timeline,
    random: seededRandom(`people ${seed}`),
    send: post(world),
    scripts: [...scripts],
    giveUpSeconds: (answerMilliseconds / 1000) * world.timeline.scale().speed,
  });

/**
 * Leaves the decisions to whoever sits at the terminal, who plays all operators: `approve ana`,
 * `reject ben`. Gives the way to stop listening.
 */
export const peopleAtTerminal = (
  world: DrillWorld,
  say: (line: string) => void,
): { stop(): void } => {
  const { operators: known } = world.config.slack;
  const asked = new Set<string>();
  world.slack.onMessage((message) => {
    const button = buttonOf(message, "approve");
    if (!button || asked.has(button.value)) return;
    asked.add(button.value);
    const first = known.map(({ name }) => name.split(" ")[0]?.toLowerCase()).join(", ");
    for (const line of render(message, 100)) say(line);
    say(`Your decision: type "approve <name>" or "reject <name>" (${first}), then Enter.`);
  });
  const lines = createInterface({ input: process.stdin });
  lines.on("line", (line) => {
    const [verb, name] = line.trim().toLowerCase().split(/\s+/);
    const who = known.find((each) => each.name.toLowerCase().startsWith(name ?? " "));
    if ((verb !== "approve" && verb !== "reject") || !who) {
      return say('That was not understood. Type "approve ana" or "reject ben".');
    }
    const message = world.slack.messages().find((each) => buttonOf(each, verb));
    const button = message && buttonOf(message, verb);
    if (!message || !button) return say("There is nothing to decide at the moment.");
    const { action_id, value } = button;
    const body = buttonBody(world.slack.place, { user: who.user }, message, { action_id, value });
    post(world)(signed(world.slack.place.signingSecret, world.timeline.now(), body)).then(
      ({ status }) => say(`${who.name}: ${verb} sent, answered with ${status}.`),
      (error: unknown) => say(`${who.name}: ${verb} was not answered (${String(error)}).`),
    );
  });
  return { stop: () => lines.close() };
};
