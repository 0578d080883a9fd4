import type {
  CancelRotateSecretCommandInput,
  DescribeSecretCommandOutput,
  RotateSecretCommandInput,
  RotateSecretCommandOutput,
  RotationRulesType,
} from "@aws-sdk/client-secrets-manager";
import type { Place } from "../network.ts";
import type { Timer } from "../time/timeline.ts";
import type { Emit } from "./alarms.ts";
import { duration } from "./durations.ts";
import { readSchedule } from "./schedule-expression.ts";
import {
  badParameter,
  badRequest,
  emptyVersion,
  holderOf,
  moveStage,
  type Versions,
} from "./secretsmanager-versions.ts";
import type { Call, Surroundings } from "./service.ts";

/** A secret as rotation sees it: the primary's, since a replica refuses all changes. */
export interface Rotated {
  arn: string;
  name: string;
  region: Place;
  versions: Versions;
}

export interface RotationPorts {
  /** Calls the rotation function and waits for its end; true when it returned. */
  invoke(region: Place, functionArn: string, event: object): Promise<boolean>;
  emit: Emit;
}

interface Secrets {
  findPrimary(id: string | undefined, region: Place): Rotated;
  changed(secret: Rotated): void;
}

interface Rotation {
  isEnabled: boolean;
  functionArn: string;
  rules: RotationRulesType;
  lastRotatedAt: number | undefined;
  /** The end of the next window. */
  nextBy: number | undefined;
  timer: Timer | undefined;
  /** The version that is being made at this moment. */
  running: string | undefined;
}

/** https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda.html */
const steps = ["createSecret", "setSecret", "testSecret", "finishSecret"] as const;

/**
 * "If any rotation step fails, Secrets Manager retries the entire rotation process multiple times": how
 * often is not told. Source as above.
 */
const attempts = 5;
/**
 * The longest that a function runs.
 * https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html
 */
const longestStep = 900_000;
const day = 86_400_000;

/**
 * Rotation by a function: four calls, one after the other, all with the token that is the id of the new
 * version. That version is there, with AWSPENDING and no content, before the first call. A rotation that
 * failed for good leaves it so, and the next request of one goes on with it and answers with an error.
 * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotateSecret.html
 */
export class Rotations {
  readonly #surroundings: Surroundings;
  readonly #secrets: Secrets;
  readonly #ports: RotationPorts | undefined;
  // By the very secret: one that is overwritten by a replica, or made of one, starts without rotation.
  readonly #rotations = new Map<Rotated, Rotation>();

  constructor(surroundings: Surroundings, secrets: Secrets, ports: RotationPorts | undefined) {
    this.#surroundings = surroundings;
    this.#secrets = secrets;
    this.#ports = ports;
  }

  described(secret: Rotated): Partial<DescribeSecretCommandOutput> {
    const rotation = this.#rotations.get(secret);
    if (!rotation) return {};
    const { isEnabled, functionArn, rules, lastRotatedAt, nextBy } = rotation;
    return {
      RotationEnabled: isEnabled,
      RotationLambdaARN: functionArn,
      RotationRules: rules,
      ...(lastRotatedAt !== undefined && { LastRotatedDate: new Date(lastRotatedAt) }),
      ...(nextBy !== undefined && isEnabled && { NextRotationDate: new Date(nextBy) }),
    };
  }

  rotate(
    input: RotateSecretCommandInput,
    call: Call,
  ): Omit<RotateSecretCommandOutput, "$metadata"> {
    const secret = this.#secrets.findPrimary(input.SecretId, call.region);
    const token = input.ClientRequestToken ?? "";
    if (token.length < 32)
      throw badParameter("ClientRequestToken has to have 32 to 64 characters.");
    const rotation = this.#configured(secret, input);
    const pending = holderOf(secret.versions, "AWSPENDING");
    const answer = { ARN: secret.arn, Name: secret.name, VersionId: token };
    if (pending && pending !== holderOf(secret.versions, "AWSCURRENT")) {
      // Asked once more for the same version, because an answer was lost.
      if (pending.id === token && rotation.running === token) return answer;
      if (!rotation.running) this.#begin(secret, rotation, pending.id);
      throw badRequest("A previous rotation isn't complete. That rotation will be reattempted.");
    }
    if (secret.versions.has(token)) return answer;
    if (input.RotateImmediately === false) {
      void this.#tryOut(secret, rotation, token);
      return answer;
    }
    this.#begin(secret, rotation, token);
    return answer;
  }

  cancel(input: CancelRotateSecretCommandInput, call: Call): object {
    const secret = this.#secrets.findPrimary(input.SecretId, call.region);
    const rotation = this.#rotations.get(secret);
    if (rotation) {
      rotation.isEnabled = false;
      rotation.timer?.cancel();
      // The label stays where it is, as the documentation warns.
      rotation.running = undefined;
    }
    const pending = holderOf(secret.versions, "AWSPENDING");
    return { ARN: secret.arn, Name: secret.name, ...(pending && { VersionId: pending.id }) };
  }

  /** A new value by hand takes AWSPENDING from a rotation that is under way, which ends it. */
  supplanted(secret: Rotated, by: string): void {
    const pending = holderOf(secret.versions, "AWSPENDING");
    if (!pending || pending.id === by || pending.stages.has("AWSCURRENT")) return;
    pending.stages.delete("AWSPENDING");
    this.#tell(secret, "RotationAbandoned");
  }

  #configured(secret: Rotated, input: RotateSecretCommandInput): Rotation {
    const known = this.#rotations.get(secret);
    const functionArn = input.RotationLambdaARN ?? known?.functionArn;
    if (functionArn === undefined || !this.#ports) {
      throw badRequest("No Lambda rotation function ARN is associated with this secret.");
    }
    const rotation: Rotation = known ?? {
      isEnabled: true,
      functionArn,
      rules: {},
      lastRotatedAt: undefined,
      nextBy: undefined,
      timer: undefined,
      running: undefined,
    };
    const rules = input.RotationRules ?? rotation.rules;
    Object.assign(rotation, { isEnabled: true, functionArn, rules });
    this.#rotations.set(secret, rotation);
    this.#schedule(secret, rotation);
    return rotation;
  }

  /**
   * Any moment of the next window. Windows of days last until the end of the UTC day unless told.
   * https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_RotationRulesType.html
   */
  #schedule(secret: Rotated, rotation: Rotation): void {
    const { timeline, random } = this.#surroundings;
    const {
      AutomaticallyAfterDays: days,
      ScheduleExpression: expression,
      Duration,
    } = rotation.rules;
    rotation.timer?.cancel();
    rotation.nextBy = undefined;
    const now = timeline.now();
    const next = expression ? readSchedule(expression, now) : undefined;
    if (expression && !next) throw badParameter("Invalid ScheduleExpression.");
    const from = next?.(now) ?? (days === undefined ? undefined : now + days * day);
    if (from === undefined) return;
    const hours = /^(\d{1,2})h$/.exec(Duration ?? "")?.[1];
    const untilMidnight = day - (from % day);
    const length = hours === undefined ? untilMidnight : Number(hours) * 3_600_000;
    rotation.nextBy = from + length;
    const wait = from - now + random.fraction() * length;
    rotation.timer = timeline.after(wait, () => {
      this.#schedule(secret, rotation);
      if (rotation.running || !rotation.isEnabled) return;
      const pending = holderOf(secret.versions, "AWSPENDING");
      const isLeft = pending && pending !== holderOf(secret.versions, "AWSCURRENT");
      this.#begin(secret, rotation, isLeft ? pending.id : random.id().padEnd(32, "0"));
    });
  }

  #begin(secret: Rotated, rotation: Rotation, token: string): void {
    if (!secret.versions.has(token)) {
      const version = emptyVersion(token, this.#surroundings.timeline.now());
      secret.versions.set(token, version);
      moveStage(secret.versions, "AWSPENDING", version);
      this.#secrets.changed(secret);
    }
    rotation.running = token;
    this.#tell(secret, "RotationStarted");
    void this.#run(secret, rotation, token);
  }

  async #run(secret: Rotated, rotation: Rotation, token: string): Promise<void> {
    const { timeline, random } = this.#surroundings;
    const isMine = () => rotation.running === token;
    const isCurrent = () => holderOf(secret.versions, "AWSCURRENT")?.id === token;
    for (let attempt = 1; isMine() && attempt <= attempts; attempt += 1) {
      if (attempt > 1) await timeline.sleep(duration(random, "secretsmanager.rotation-retry"));
      const isThrough = await this.#allSteps(secret, rotation, token);
      if (!isThrough || !isCurrent()) continue;
      rotation.lastRotatedAt = timeline.now();
      break;
    }
    if (!isMine()) return;
    rotation.running = undefined;
    this.#tell(secret, isCurrent() ? "RotationSucceeded" : "RotationFailed");
  }

  async #allSteps(secret: Rotated, rotation: Rotation, token: string): Promise<boolean> {
    for (const Step of steps) {
      const version = secret.versions.get(token);
      const isOurs = version?.stages.has("AWSPENDING") || version?.stages.has("AWSCURRENT");
      if (rotation.running !== token || !isOurs) return false;
      if (!(await this.#call(secret, rotation, Step, token))) return false;
    }
    return true;
  }

  async #call(secret: Rotated, { functionArn }: Rotation, Step: string, token: string) {
    const { timeline } = this.#surroundings;
    const event = { Step, SecretId: secret.arn, ClientRequestToken: token };
    const asked = this.#ports?.invoke(secret.region, functionArn, event);
    const { promise: late, resolve } = Promise.withResolvers<boolean>();
    const timer = timeline.after(longestStep, () => resolve(false));
    // A function that is gone or throttled is a failed step, as one that throws.
    const answered = asked?.catch(() => false) ?? false;
    const isThrough = await Promise.race([answered, late]);
    timer.cancel();
    return isThrough;
  }

  /** RotateImmediately false: one call of testSecret on a version that is taken away again. */
  async #tryOut(secret: Rotated, rotation: Rotation, token: string): Promise<void> {
    const version = emptyVersion(token, this.#surroundings.timeline.now());
    secret.versions.set(token, version);
    moveStage(secret.versions, "AWSPENDING", version);
    await this.#call(secret, rotation, "testSecret", token);
    secret.versions.delete(token);
  }

  /**
   * The envelope of a service event by CloudTrail; the fields below `detail` are the documented ones.
   * https://docs.aws.amazon.com/secretsmanager/latest/userguide/cloudtrail_log_entries.html
   */
  #tell({ arn, region }: Rotated, eventName: string): void {
    this.#ports?.emit(region, {
      source: "aws.secretsmanager",
      "detail-type": "AWS Service Event via CloudTrail",
      resources: [],
      detail: {
        eventSource: "secretsmanager.amazonaws.com",
        eventType: "AwsServiceEvent",
        eventName,
        additionalEventData: { SecretId: arn },
      },
    });
  }
}
