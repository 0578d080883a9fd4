import type { RotationLook } from "../../shared/rotation-order.ts";
import { holderOf, judgeStuck } from "./decide.ts";
import type { Told } from "./kinds.ts";
import { did, refuse } from "./kinds.ts";
import type { Work } from "./rotation.ts";
import { forbidden } from "./rotation.ts";

/** What a rotation would find now. Changes nothing, and holds nothing. */
export const look = async (work: Work): Promise<Told> => {
  const { ports, name, scope } = work;
  const described = await ports.describe(name);
  const version = holderOf(described, "AWSCURRENT");
  if (version === undefined) return refuse("no-current", `No version of ${name} has AWSCURRENT.`);
  if (!described.isRotated) return refuse("not-rotated", `Rotation of ${name} is switched off.`);
  const pending = holderOf(described, "AWSPENDING");
  const hasContent = pending !== undefined && (await ports.read(name, pending)) !== undefined;
  const { is } = judgeStuck(described, hasContent);
  const flight = await ports.readFlight(scope);
  const isBusy =
    flight !== undefined &&
    flight.phase !== "ended" &&
    (flight.phase === "overlap" || flight.untilMilliseconds > ports.now()) &&
    flight.token !== pending;
  const reason = `${flight?.run} is in its ${flight?.phase}: one rotation of the ${scope} at a time.`;
  const busy = isBusy ? { code: `in-${flight.phase}`, reason } : null;
  const seen: RotationLook = {
    secret: name,
    version,
    left: is === "idle" ? "none" : is,
    forbidden: (await forbidden(work)) ?? busy,
  };
  return { ...did(`Version ${version} of ${name} is current.`), seen };
};
