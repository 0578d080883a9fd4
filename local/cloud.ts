import { acm } from "./aws/acm.ts";
import type { ServiceEvent } from "./aws/alarms.ts";
import { autoscaling } from "./aws/autoscaling.ts";
import type { LaunchedInstance, RunningInstance } from "./aws/autoscaling-instances.ts";
import { cloudwatch } from "./aws/cloudwatch.ts";
import { dynamodb, type TableDefinition } from "./aws/dynamodb.ts";
import { ec2 } from "./aws/ec2.ts";
import { ecr } from "./aws/ecr.ts";
import { elasticache } from "./aws/elasticache.ts";
import { elbv2 } from "./aws/elbv2.ts";
import { balancerMetrics } from "./aws/elbv2-metrics.ts";
import { type EndpointOptions, endpoint } from "./aws/endpoint.ts";
import { eventbridge } from "./aws/eventbridge.ts";
import { kms } from "./aws/kms.ts";
import { lambda } from "./aws/lambda.ts";
import { publishMetrics } from "./aws/platform-metrics.ts";
import { rds } from "./aws/rds.ts";
import { route53 } from "./aws/route53.ts";
import type { Probe } from "./aws/route53-health.ts";
import { s3 } from "./aws/s3.ts";
import { scheduler } from "./aws/scheduler.ts";
import { secretsmanager } from "./aws/secretsmanager.ts";
import type { Operation, Service, Surroundings } from "./aws/service.ts";
import { type CommandPorts, ssm } from "./aws/ssm.ts";
import { sts } from "./aws/sts.ts";
import type { LambdaOptions } from "./lambda/dispatch.ts";
import type { FunctionHost } from "./lambda/host.ts";
import type { ExecutionStore } from "./lambda/store.ts";
import { internet, type NetworkFaults, type Place } from "./network.ts";
import type { DatabaseEngine } from "./postgres/engine.ts";
import type { CacheEngine } from "./redis/engine.ts";
import { modelledCaches } from "./redis/modelled.ts";

/** What the state machines stand on: processes and sockets in a drill, models in a simulation. */
export interface Backends {
  engine: DatabaseEngine;
  /** Modelled ones when left out, which nobody can connect to. */
  caches?: CacheEngine;
  host: FunctionHost;
  executions: ExecutionStore;
  launch(instance: LaunchedInstance): Promise<RunningInstance>;
  probe: Probe;
  /** Addresses of a new load balancer. */
  addresses?(loadBalancer: { name: string; region: Place; ordinal: number }): string[];
}

export interface CloudOptions {
  tables: TableDefinition[];
  endpoint?: EndpointOptions;
  lambda?: LambdaOptions;
  /** Sees every event that AWS's own services send. */
  onEvent?(region: Place, event: ServiceEvent): void;
  /** ARNs of people who call from outside, by access key. */
  identities?: Readonly<Record<string, string>>;
  /**
   * How many times sooner than modelled RDS is done with what it begins to wait for now: for somebody who
   * watches, since a new replica takes half an hour. 1 when left out.
   */
  hurryDatabases?(): number;
  /** The same of the warm-up of instances that replace others, which takes minutes for each. */
  hurryWarmups?(): number;
  /**
   * Whether load balancers, groups, instances and databases publish metrics each modelled minute, as they
   * do on AWS. Nothing is counted or published when left out: a run that looks at none is faster so.
   */
  publishesMetrics?: boolean;
  /** Independent health checkers per check. */
  checkers?: number;
  /** A bug in the local AWS that no caller can be told of. */
  onError(error: unknown): void;
}

export type Cloud = ReturnType<typeof cloud>;

type Land = Surroundings & { network: NetworkFaults };

/** All services of all regions, wired to each other as AWS wires them. */
export const cloud = (surroundings: Land, backends: Backends, options: CloudOptions) => {
  const { network, account } = surroundings;
  const parts = wired(surroundings, backends, options);
  const { functions, fleet, databases, caches } = parts;
  const services: Service[] = [
    ...Object.values(parts).map(({ service }) => service),
    s3(surroundings).service,
    sts(surroundings, options.identities).service,
  ];
  network.onChange((region, state) => {
    functions.onRegionChange(region, state);
    Promise.all([
      databases.onRegionChange(region, state),
      fleet.onRegionChange(region, state),
      caches.onRegionChange(region, state),
    ]).catch(options.onError);
  });
  const byName = new Map(services.map((service) => [service.name, service]));
  return {
    surroundings,
    network,
    ...parts,
    endpoint: endpoint(surroundings, services, options.endpoint),
    /** Asks a service without a wire between, as whoever deploys the platform. */
    ask: async <Output>(name: string, operation: string, region: Place, input: object) => {
      const found = byName.get(name)?.operations[operation];
      if (!found) throw new Error(`the local ${name} has no operation ${operation}`);
      const call = { service: name, operation, region, from: internet, account };
      return (await (found as unknown as Operation)(input as never, call)) as Output;
    },
    close: async () => {
      await functions.close();
      surroundings.timeline.close();
      await fleet.close();
      await backends.engine.close();
      await backends.caches?.close();
    },
  };
};

/** The same place in which what has begun is over sooner. */
const hurried = <Place extends Surroundings>(
  surroundings: Place,
  times: (() => number) | undefined,
): Place => {
  if (!times) return surroundings;
  const { timeline } = surroundings;
  const sleep = (milliseconds: number) => timeline.sleep(milliseconds / times());
  return { ...surroundings, timeline: { ...timeline, sleep } };
};

const wired = (surroundings: Land, backends: Backends, options: CloudOptions) => {
  const functions = lambda(surroundings, backends.host, backends.executions, options.lambda);
  const { invoke } = functions;
  const events = eventbridge(surroundings, { invoke });
  const metrics = cloudwatch(surroundings, {
    emit: (region, event) => {
      options.onEvent?.(region, event);
      events.publish(region, event);
    },
  });
  const machines = ec2(surroundings);
  const { launch, addresses } = backends;
  // Load balancers and instances know each other: requests one way, health the other.
  const counted = balancerMetrics(
    (region, id) => fleet.find(region, id)?.launched.availabilityZone,
  );
  const counting = { now: surroundings.timeline.now, count: counted.count };
  const balancers = elbv2(
    surroundings,
    {
      send: (region, target, request) => fleet.send(region, target.id, request),
      ...(options.publishesMetrics ? { counting } : {}),
    },
    addresses ? { addresses } : {},
  );
  const fleet = autoscaling(surroundings, {
    launch,
    targets: balancers.targets,
    machines,
    alarmState: metrics.stateOf,
    hurryWarmups: options.hurryWarmups,
  });
  const names = route53(
    surroundings,
    { probe: backends.probe, addressesOf: balancers.addressesOf, targetHealthy: balancers.healthy },
    options.checkers === undefined ? {} : { checkers: options.checkers },
  );
  const keys = kms(surroundings);
  const databases = rds(
    hurried(surroundings, options.hurryDatabases),
    backends.engine,
    keys.isUsable,
  );
  const caches = elasticache(surroundings, backends.caches ?? modelledCaches());
  if (options.publishesMetrics) {
    publish(surroundings, { metrics, counted, balancers, fleet, databases, caches });
  }
  return {
    functions,
    events,
    schedules: scheduler(surroundings, { invoke }),
    metrics,
    machines,
    balancers,
    fleet,
    names,
    databases,
    caches,
    keys,
    commands: ssm(surroundings, { agent: agentOf(fleet) }),
    tables: dynamodb(surroundings, options.tables),
    secrets: secretsmanager(surroundings, {
      emit: events.publish,
      invoke: (region, arn, event) => functions.ask(region, arn, event),
    }),
    certificates: acm(surroundings, proving(names, metrics, options)),
    images: ecr(surroundings),
  };
};

interface Publishing {
  metrics: ReturnType<typeof cloudwatch>;
  counted: ReturnType<typeof balancerMetrics>;
  balancers: ReturnType<typeof elbv2>;
  fleet: ReturnType<typeof autoscaling>;
  databases: ReturnType<typeof rds>;
  caches: ReturnType<typeof elasticache>;
}

const publish = (surroundings: Land, parts: Publishing): void => {
  const { metrics, counted, balancers, fleet, databases, caches } = parts;
  publishMetrics(surroundings, {
    regions: () => [...fleet.regions(), ...databases.regions(), ...caches.regions()],
    put: metrics.put,
    counted,
    balancersIn: balancers.inRegion,
    groupsIn: fleet.groupsIn,
    groupData: fleet.groupData,
    ailmentsOf: fleet.ailmentsOf,
    databaseData: databases.vitals,
    cacheData: caches.vitals,
  });
};

/** By what ACM sees that a name is ours, and where it tells how long a certificate lasts. */
const proving = (
  { answer }: ReturnType<typeof route53>,
  { put }: ReturnType<typeof cloudwatch>,
  { publishesMetrics }: CloudOptions,
): Parameters<typeof acm>[1] => ({
  aliasOf: (name) => answer(name, "CNAME").records[0]?.value,
  ...(publishesMetrics
    ? { publish: (region, data) => put(region, "AWS/CertificateManager", data) }
    : {}),
});

/** The agent of Systems Manager on an instance, which a sick one may have lost. */
const agentOf =
  (fleet: ReturnType<typeof autoscaling>): CommandPorts["agent"] =>
  (region, instanceId) => {
    const instance = fleet.find(region, instanceId);
    if (!instance?.running) return "absent";
    const isDeaf = fleet.ailmentsOf(instance.launched).some(({ is }) => is === "deaf");
    return isDeaf ? "deaf" : "listens";
  };
