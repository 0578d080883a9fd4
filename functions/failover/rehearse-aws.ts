import {
  GetHealthCheckCommand,
  GetHealthCheckStatusCommand,
  ListResourceRecordSetsCommand,
  Route53Client,
} from "@aws-sdk/client-route-53";
import { clientOptions } from "../../shared/clients.ts";
import { sentence } from "../../shared/outcome.ts";
import type { Runtime } from "../../shared/runtime.ts";
import type { Seen } from "./ports.ts";

interface PublicLink {
  zoneId: string;
  recordSets: string[];
}

/** What users are sent by, looked at from here. Changes nothing. */
export const publicLooks = (runtime: Runtime, { zoneId, recordSets }: PublicLink) => {
  const { web, config } = runtime;
  const client = new Route53Client(clientOptions(runtime, "us-east-1"));
  const { name } = config.domain;

  const answerOf = async (resolver: string): Promise<Seen> => {
    const what = `resolver ${resolver}`;
    try {
      const addresses = await web.resolve(name, resolver);
      const ok = addresses.length > 0;
      return { what, ok, detail: ok ? `answers ${addresses.join(", ")}` : "knows no address" };
    } catch (error) {
      return { what, ok: false, detail: `does not answer: ${sentence(error)}` };
    }
  };

  const primaryCheck = async (): Promise<string | undefined> => {
    // Two records of one name; a zone may hold far more names, which are not asked for.
    const { ResourceRecordSets = [] } = await client.send(
      new ListResourceRecordSetsCommand({
        HostedZoneId: zoneId,
        StartRecordName: name,
        StartRecordType: "CNAME",
        MaxItems: 10,
      }),
    );
    const primary = ResourceRecordSets.find(
      (set) =>
        set.Failover === "PRIMARY" &&
        set.Name?.replace(/\.$/, "") === name &&
        recordSets.includes(set.SetIdentifier ?? ""),
    );
    return primary?.HealthCheckId;
  };

  /** The status of a calculated check cannot be asked for, that of its children can (Route 53 API). */
  const statusOf = async (id: string): Promise<Seen> => {
    const { HealthCheckObservations = [] } = await client.send(
      new GetHealthCheckStatusCommand({ HealthCheckId: id }),
    );
    const said = HealthCheckObservations[0]?.StatusReport?.Status ?? "nothing yet";
    const detail = `${HealthCheckObservations.length} checker(s) report, the first: ${said}`;
    return { what: `health check ${id}`, ok: HealthCheckObservations.length > 0, detail };
  };

  return {
    resolverAnswers: (): Promise<Seen[]> =>
      Promise.all(config.failover.resolvers.map((resolver) => answerOf(resolver))),
    healthChecks: async (): Promise<Seen[]> => {
      const what = "record of the home region";
      const id = await primaryCheck();
      if (!id) return [{ what, ok: false, detail: "it follows no health check" }];
      const { HealthCheck } = await client.send(new GetHealthCheckCommand({ HealthCheckId: id }));
      const children = HealthCheck?.HealthCheckConfig?.ChildHealthChecks ?? [];
      const record = {
        what,
        ok: children.length > 0,
        detail: `follows ${children.length} check(s)`,
      };
      return [record, ...(await Promise.all(children.map(statusOf)))];
    },
  };
};
