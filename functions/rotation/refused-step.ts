import type { RotationRequest } from "./decide.ts";
import type { Told } from "./kinds.ts";

/** Secrets Manager knows no refusals: for it a step has either returned or failed, and is tried again. */
export class StepRefused extends Error {
  readonly code: string;
  constructor(code: string, reason: string) {
    super(`${code}: ${reason}`);
    this.name = "StepRefused";
    this.code = code;
  }
}

/** A refused step ends with an error; whoever asked a question gets the refusal as the answer. */
export const answered = (asked: RotationRequest, told: Told): Told => {
  if ("Step" in asked && "refused" in told) {
    throw new StepRefused(told.refused.code, told.refused.reason);
  }
  return told;
};
