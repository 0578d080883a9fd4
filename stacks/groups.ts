import type { Output } from "@pulumi/pulumi";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/** Security groups by what they are around. */
export interface Groups {
  balancer: Output<string>;
  application: Output<string>;
  functions: Output<string>;
  database: Output<string>;
  cache: Output<string>;
}

/** Where everybody is. */
export const everywhere = "0.0.0.0/0";

const balancerPorts = [443, 80];
export const databasePort = 5432 as const;
export const cachePort = 6379;

/** By reference: who may talk to whom does not depend on where anybody is. */
export const groupsOf = (stage: Stage, region: Region, vpcId: Output<string>): Groups => {
  const { provider } = region;
  const group = (title: string, name: string, description: string, rest: object = {}) =>
    new aws.ec2.SecurityGroup(
      named(title, region),
      { name: `${stage.prefix}-${name}`, description, vpcId, ...rest },
      // The fence closes the application's way in at night: see the README of this folder.
      { provider, ...("ingress" in rest ? { ignoreChanges: ["ingress"] } : {}) },
    ).id;
  const balancer = group("BalancerGroup", "balancer", "The only thing that the internet reaches");
  const application = group("ApplicationGroup", "application", "Instances of the application");
  const functions = group("FunctionGroup", "functions", "Functions that talk to the database");
  const database = group("DatabaseGroup", "database", "The database", {
    ingress: [application, functions].map((from) => ({
      protocol: "tcp",
      fromPort: databasePort,
      toPort: databasePort,
      securityGroups: [from],
    })),
    egress: [],
  });
  const cache = group("CacheGroup", "cache", "The cache");
  const groups = { balancer, application, functions, database, cache };
  rulesOf(stage, region, groups);
  return groups;
};

/** Rules of their own for everything that a fence leaves alone. */
const rulesOf = (stage: Stage, region: Region, groups: Groups): void => {
  const { provider } = region;
  const { balancer, application, functions, database, cache } = groups;
  const { port } = stage.config.application;
  for (const publicPort of balancerPorts) {
    new aws.vpc.SecurityGroupIngressRule(
      named(`InternetToBalancer${publicPort}`, region),
      {
        securityGroupId: balancer,
        ipProtocol: "tcp",
        fromPort: publicPort,
        toPort: publicPort,
        cidrIpv4: everywhere,
      },
      { provider },
    );
  }
  const out = (name: string, from: Output<string>, to: Output<string>, at: number) =>
    new aws.vpc.SecurityGroupEgressRule(
      named(`${name}Out`, region),
      {
        securityGroupId: from,
        referencedSecurityGroupId: to,
        ipProtocol: "tcp",
        fromPort: at,
        toPort: at,
      },
      { provider },
    );
  const between = (name: string, from: Output<string>, to: Output<string>, at: number) => {
    out(name, from, to, at);
    new aws.vpc.SecurityGroupIngressRule(
      named(`${name}In`, region),
      {
        securityGroupId: to,
        referencedSecurityGroupId: from,
        ipProtocol: "tcp",
        fromPort: at,
        toPort: at,
      },
      { provider },
    );
  };
  between("BalancerToApplication", balancer, application, port);
  between("ApplicationToCache", application, cache, cachePort);
  // Whoever changes the cache's token has to have used it.
  between("FunctionsToCache", functions, cache, cachePort);
  // The other half of these two is the database's own list, above.
  out("ApplicationToDatabase", application, database, databasePort);
  out("FunctionsToDatabase", functions, database, databasePort);
  for (const [name, securityGroupId] of [
    ["Application", application],
    ["Functions", functions],
  ] as const) {
    // AWS's own services have no group, and the application's partners have none either.
    new aws.vpc.SecurityGroupEgressRule(
      named(`${name}ToTls`, region),
      { securityGroupId, ipProtocol: "tcp", fromPort: 443, toPort: 443, cidrIpv4: everywhere },
      { provider },
    );
  }
};
