import { drain, fence, giveBack, isolate } from "./fencing.ts";
import { assess, awaitApproval, claim, openRequest, warm } from "./prepare.ts";
import { activate, harden, open, promote, repoint, verify } from "./takeover.ts";

/** What is done in each state; the table of states says what its ending leads to. */
export const activities = {
  proposed: assess,
  assessed: warm,
  warming: openRequest,
  asking: awaitApproval,
  approved: claim,
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
