import { duration } from "./durations.ts";
import type { RdsInstance } from "./rds-instance.ts";
import { relink } from "./rds-lifecycle.ts";
import { invalidParameter, type RdsState, record, wake } from "./rds-state.ts";
import { rest } from "./rds-storage.ts";

/** `It might take several minutes` until the new zone is shown (USER_RebootInstance); no figure. */
const zoneShownMilliseconds = 180_000;

/**
 * RebootDBInstance with ForceFailover: nobody is served from the first event to the last, and the other
 * zone's host goes on with the same data under the same name. Sources: API reference of RebootDBInstance,
 * "Amazon RDS event categories and event messages".
 */
export const forceFailover = (state: RdsState, instance: RdsInstance): void => {
  const { details } = instance;
  if (!details.MultiAZ) {
    const message = "Cannot specify ForceFailover for an instance that is not configured Multi-AZ.";
    throw invalidParameter("InvalidParameterCombination", message);
  }
  const { timeline, random, network } = state.surroundings;
  details.DBInstanceStatus = "rebooting";
  const [starts, takes] = [
    duration(random, "rds.failover-start"),
    duration(random, "rds.failover"),
  ];
  timeline.after(starts, async () => {
    // Its region may be dead by now: then it starts, in whatever zone, when that is back.
    if (instance.down) return rest(state, instance);
    record(state, instance, "failover", "Multi-AZ instance failover started.");
    instance.down = true;
    await state.engine.kill(instance.engineId);
    await timeline.sleep(Math.max(0, takes - starts));
    if (instance.down && network.state(instance.region) !== "dead") {
      await state.engine.start(instance.engineId);
      instance.down = false;
      wake(state, instance.region);
      for (const other of state.instances.values()) relink(state, other);
    }
    record(state, instance, "availability", "DB instance restarted");
    record(state, instance, "failover", "The user requested a failover of the DB instance.");
    record(state, instance, "failover", "Multi-AZ instance failover completed");
    rest(state, instance);
    timeline.after(zoneShownMilliseconds, () => void instance.zones.reverse());
  });
};
