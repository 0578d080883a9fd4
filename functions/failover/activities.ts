import { drain, fence, giveBack, isolate } from "./fencing.ts";
import { assess, awaitApproval, claim, openRequest, warm } from "./prepare.ts";
import { rehearse } from "./rehearse.ts";
import { takeUp } from "./take-up.ts";
import { activate, harden, open, promote, repoint, verify } from "./takeover.ts";

/** What is done in each state; the table of states says what its ending leads to. */
export const activities = {
  proposed: assess,
  assessed: warm,
  warming: openRequest,
  asking: awaitApproval,
  approved: claim,
  rehearsing: rehearse,
  "carried-on": takeUp,
  claimed: fence,
  isolating: isolate,
  draining: drain,
  returning: giveBack,
  fenced: promote,
  promoted: open,
  writable: repoint,
  repointed: activate,
  serving: verify,
  hardening: harden,
};
