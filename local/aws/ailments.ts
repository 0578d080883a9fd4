import type { HttpRequest, HttpResponse } from "../http.ts";
import { timedOut } from "../http.ts";
import type { Place } from "../network.ts";
import type { Timeline } from "../time/timeline.ts";

/** Which instances an ailment befalls: those that fit all that is said. */
export interface Sufferers {
  region?: Place;
  instanceId?: string;
  availabilityZone?: string;
  /** What the instance was started from: an image that is bad is bad wherever it runs. */
  launchTemplate?: string;
  templateVersion?: number;
}

export type Ailment =
  /** Users get 500; health checks go on passing, as a shallow check does. */
  | { is: "errors" }
  /** Everybody gets 503, health checks included. */
  | { is: "unready" }
  /** The connection stands and nobody gets an answer. */
  | { is: "hangs" }
  /** Every answer comes so much later. */
  | { is: "slow"; milliseconds: number }
  /** The connection is refused: the container is gone. */
  | { is: "down" }
  /** So much of its memory is in use, as the CloudWatch agent sees it. */
  | { is: "leaks"; memoryPercent: number }
  /** The Systems Manager agent does not fetch commands. */
  | { is: "deaf" };

/** Facts about an instance that decide whether an ailment befalls it. */
export type Patient = Required<Omit<Sufferers, "templateVersion">> & {
  templateVersion: number | undefined;
};

/** Default of `idle_timeout.timeout_seconds` of a load balancer, after which users get 504. */
const idleTimeoutMilliseconds = 60_000;
/** Default of HealthCheckTimeoutSeconds for HTTP. */
const checkTimeoutMilliseconds = 5000;

/** What is wrong with which instances: for drills and tests, none of it happens by itself. */
export const ailments = (timeline: Timeline) => {
  const all = new Set<{ sufferers: Sufferers; ailment: Ailment }>();
  const of = (patient: Patient): Ailment[] =>
    [...all].flatMap(({ sufferers, ailment }) =>
      Object.entries(sufferers).every(
        ([key, wanted]) => wanted === undefined || patient[key as keyof Patient] === wanted,
      )
        ? [ailment]
        : [],
    );
  return {
    /** Lets instances fall ill; the function that comes back heals them. */
    ail: (sufferers: Sufferers, ailment: Ailment): (() => void) => {
      const added = { sufferers, ailment };
      all.add(added);
      return () => void all.delete(added);
    },
    of,
    isAnybody: () => all.size > 0,
    /** Answers in the place of a sick instance, or as it does. */
    through: async (
      patient: Patient,
      request: HttpRequest,
      send: (request: HttpRequest) => Promise<HttpResponse>,
    ): Promise<HttpResponse> => {
      const isCheck = request.headers?.["user-agent"]?.startsWith("ELB-HealthChecker") === true;
      for (const ailment of of(patient)) {
        if (ailment.is === "unready") return failure(503);
        if (ailment.is === "errors" && !isCheck) return failure(500);
        if (ailment.is === "down") {
          throw Object.assign(new Error("connection refused"), { code: "ECONNREFUSED" });
        }
        if (ailment.is === "hangs") {
          await timeline.sleep(isCheck ? checkTimeoutMilliseconds : idleTimeoutMilliseconds);
          throw timedOut(patient.instanceId);
        }
        if (ailment.is === "slow") await late(timeline, ailment.milliseconds, isCheck, patient);
      }
      return send(request);
    },
  };
};

export type Ailments = ReturnType<typeof ailments>;

const late = async (timeline: Timeline, by: number, isCheck: boolean, patient: Patient) => {
  const patience = isCheck ? checkTimeoutMilliseconds : idleTimeoutMilliseconds;
  await timeline.sleep(Math.min(by, patience));
  if (by >= patience) throw timedOut(patient.instanceId);
};

const failure = (status: number): HttpResponse => ({
  status,
  headers: { "content-type": "text/plain" },
  body: status === 500 ? "Internal Server Error" : "Service Unavailable",
});
