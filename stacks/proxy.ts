import type { Output } from "@pulumi/pulumi";
import type { Database } from "./database.ts";
import { databasePort } from "./groups.ts";
import { assumedBy } from "./job.ts";
import type { Network } from "./network.ts";
import { documentOf, readSecrets } from "./permissions.ts";
import type { Keys, Secret } from "./platform.ts";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

interface Parts {
  network: Network;
  keys: Keys;
  database: Database;
  login: Secret;
}

/** Whether a region's instances go through RDS Proxy. */
export const hasProxy = ({ config }: Stage, { role }: Region): boolean =>
  role === "primary" && config.sizes.database.proxy === true;

/**
 * Where the home region's instances connect to: the database itself, or RDS Proxy in front of it where
 * the operator has asked for one. It is not the default. Thirty instances with a small pool each are well
 * below what the database takes; a proxy keeps sessions open that a fence has to end, pins them for
 * prepared statements, and is one more thing between a promotion and its users. It wears the
 * application's security group, so that a fence that closes that group's way in closes this one, too.
 * The standby has none: its instances follow the database that is promoted next to them.
 */
export const databaseHost = (stage: Stage, region: Region, parts: Parts): Output<string> => {
  const { database, network, login } = parts;
  if (!hasProxy(stage, region)) return database.host;
  const { provider } = region;
  const name = `${stage.prefix}-database`;
  withinTheGroup(region, network.groups.application);
  const role = new aws.iam.Role(
    named("ProxyRole", region),
    {
      name: `${stage.prefix}-proxy-${region.name}`,
      assumeRolePolicy: assumedBy("rds.amazonaws.com"),
    },
    { provider },
  );
  new aws.iam.RolePolicy(
    named("ProxyMay", region),
    {
      role: role.id,
      name: "may",
      policy: documentOf(readSecrets("LogInForTheApplication", { ...parts, region }, [login])),
    },
    { provider },
  );
  const proxy = new aws.rds.Proxy(
    named("Proxy", region),
    {
      name,
      engineFamily: "POSTGRESQL",
      requireTls: true,
      roleArn: role.arn,
      vpcSubnetIds: network.privateSubnets,
      vpcSecurityGroupIds: [network.groups.application],
      idleClientTimeout: 1800,
      auths: [
        {
          authScheme: "SECRETS",
          iamAuth: "DISABLED",
          clientPasswordAuthType: "POSTGRES_SCRAM_SHA_256",
          secretArn: login.arn,
        },
      ],
    },
    { provider },
  );
  const group = new aws.rds.ProxyDefaultTargetGroup(
    named("ProxyTargets", region),
    {
      dbProxyName: proxy.name,
      connectionPoolConfig: { maxConnectionsPercent: 80, connectionBorrowTimeout: 10 },
    },
    { provider },
  );
  new aws.rds.ProxyTarget(
    named("ProxyTarget", region),
    {
      dbProxyName: proxy.name,
      targetGroupName: group.name,
      dbInstanceIdentifier: database.id,
    },
    { provider, dependsOn: [database.instance] },
  );
  return proxy.endpoint;
};

const withinTheGroup = ({ provider, ...region }: Region, group: Output<string>): void => {
  const rule = {
    securityGroupId: group,
    referencedSecurityGroupId: group,
    ipProtocol: "tcp",
    fromPort: databasePort,
    toPort: databasePort,
  };
  const title = (way: string) => named(`ApplicationToProxy${way}`, region);
  new aws.vpc.SecurityGroupIngressRule(title("In"), rule, { provider });
  new aws.vpc.SecurityGroupEgressRule(title("Out"), rule, { provider });
};
