/** One look at one place from outside: the answer, or why there was none. */
export interface Look {
  status: number | null;
  body: string;
  detail: string;
}

/** What one canary says of one place, as the value of a metric: 1 is well, 0 is not. */
export interface Verdict {
  well: boolean;
  because: string;
}

/**
 * A region is reachable when its load balancer answers for it at all: whatever the status, something
 * in the region has decided it. The role path is answered by a fixed rule without any instance, so a
 * sick application is not taken for a lost region.
 */
export const judgeRegion = (look: Look): Verdict => {
  if (look.status === null) return { well: false, because: look.detail };
  const says = look.body.trim();
  if (look.status === 200 && (says === "active" || says === "renounced")) {
    return { well: true, because: `it says ${says}` };
  }
  return { well: false, because: `it answered ${look.status}, not as Nightshift's rule does` };
};

/** The public name is well when the application behind it is ready. */
export const judgePublic = (look: Look): Verdict => {
  if (look.status === null) return { well: false, because: look.detail };
  return { well: look.status === 200, because: `status ${look.status}` };
};

/**
 * Whether any region says that it is active. None is, when the active one is gone, and also when it
 * has fenced itself behind a partition that this observer does not feel: then it can still be reached
 * and says `renounced`, and nobody serves.
 */
export const judgeActive = (regions: { place: string; look: Look }[]): Verdict => {
  const active = regions.filter(({ look }) => look.status === 200 && look.body.trim() === "active");
  const said = active.map(({ place }) => place).join(", ");
  return { well: active.length > 0, because: said ? `${said} is active` : "no region is active" };
};
