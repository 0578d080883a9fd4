import { breakGlass } from "./break-glass.ts";
import { check } from "./checks.ts";
import { lose, openLost } from "./region-loss.ts";
import type { Check } from "./report.ts";
import type { Scenario, Stage } from "./scenario.ts";

/** The region is lost on the day on which all that people usually lean on is lost as well. */
export const controlPlaneLoss: Scenario = {
  name: "control-plane-loss",
  about: "as region-loss, with Slack and the control planes in us-east-1 silent as well",
  // Slack shows nobody any button.
  people: [],
  mayLose: "objective",
  strike: async (stage) => {
    const { world } = stage;
    world.network.silenceControlPlanes(true);
    world.slack.silence(true);
    let heard = 0;
    world.slack.onMessage(() => {
      heard += 1;
    });
    const incident = lose(stage);
    const people = breakGlass(stage, [
      { user: "U0BEN", says: "approve", thinksSeconds: [40, 80] },
      { user: "U0CHIARA", says: "approve", thinksSeconds: [60, 120] },
    ]);
    return {
      ...incident,
      text: `${incident.text}; Slack and the control planes in us-east-1 are silent`,
      stop: people.stop,
      checks: () => [
        nothingFar(stage, incident.atMilliseconds),
        slackSilent(heard),
        check(
          "people answered at the command line",
          people.answers() >= 2,
          "2 answers",
          `${people.answers()} answers`,
        ),
      ],
    };
  },
  openOld: openLost,
};

const nothingFar = ({ seen }: Stage, incidentAt: number): Check => {
  const since = seen.farRequests.filter(({ atMilliseconds }) => atMilliseconds >= incidentAt);
  const reached = since.filter((request) => request.reached);
  const tried = since.filter((request) => !request.reached);
  const what = [...new Set(tried.map((request) => request.what))].join(", ");
  return check(
    "no call reached us-east-1",
    reached.length === 0,
    "0",
    `${reached.length} answered, ${tried.length} tried${what ? ` (${what})` : ""}`,
  );
};

const slackSilent = (heard: number): Check =>
  check("Slack was never reached", heard === 0, "0 messages", `${heard} messages`);
