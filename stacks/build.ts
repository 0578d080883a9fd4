import type { Output } from "@pulumi/pulumi";
import { application } from "./application.ts";
import type { Balancer } from "./balancer.ts";
import { balancer } from "./balancer.ts";
import type { Cache } from "./cache.ts";
import { cache } from "./cache.ts";
import { coordination, journal } from "./coordination.ts";
import type { Database } from "./database.ts";
import { databases } from "./database.ts";
import { certificates, regionalName, traffic } from "./dns.ts";
import { databasePort } from "./groups.ts";
import { evidenceKeys, keys } from "./keys.ts";
import type { Network } from "./network.ts";
import { network } from "./network.ts";
import type { Keys, Platform, Secret, SecretName, Site } from "./platform.ts";
import { databaseHost } from "./proxy.ts";
import type { Quarantine } from "./quarantine.ts";
import { quarantine } from "./quarantine.ts";
import type { Region, Regions } from "./regions.ts";
import type { Repository } from "./registry.ts";
import { registry } from "./registry.ts";
import { databaseNames, firstValues, secrets } from "./secrets.ts";
import type { Stage } from "./stage.ts";
import type { Storage } from "./storage.ts";
import { storage } from "./storage.ts";

/** Declares the platform in both regions, and the tables that all three share. */
export const platform = (stage: Stage, regions: Regions, zoneId: string): Platform => {
  const { primary, standby } = regions;
  const bases = { home: baseOf(stage, primary), standby: baseOf(stage, standby) };
  const first = firstValues();
  const data = databases(stage, regions, bases.home, bases.standby, first.owner);
  const kept = secrets(stage, regions, {
    keys: { home: bases.home.keys, standby: bases.standby.keys },
    first,
    host: data.home.host,
  });
  const images = registry(stage, regions);
  const stores = storage(stage, regions);
  const signing = evidenceKeys(stage, regions);
  const proven = certificates(stage, regions, zoneId);
  const fronts = (side: "home" | "standby", region: Region): Front => {
    const parts = {
      ...bases[side],
      logBucket: stores[side].logBucket,
      certificateArn: proven[side],
      token: first.cache,
    };
    return { balancer: balancer(stage, region, parts), cache: cache(stage, region, parts) };
  };
  const front = { home: fronts("home", primary), standby: fronts("standby", standby) };
  const site = (side: "home" | "standby", region: Region): Site =>
    siteOf(stage, region, {
      ...bases[side],
      ...front[side],
      storage: stores[side],
      database: data[side],
      repository: images[side],
      secrets: kept[side],
      evidenceKey: signing[side],
      certificateArn: proven[side],
      monitoringRoleArn: data.monitoringRoleArn,
    });
  return {
    home: site("home", primary),
    standby: site("standby", standby),
    database: { name: databaseNames.database, logins: [...databaseNames.logins] },
    publicUrl: `https://${stage.config.domain.name}`,
    zoneId: $interpolate`${zoneId}`,
    recordSets: [primary.name, standby.name],
    firstValues: kept.firstValues,
    healthChecks: traffic(stage, regions, zoneId, {
      home: front.home.balancer,
      standby: front.standby.balancer,
    }),
    coordination: coordination(stage, regions),
    journal: journal(stage, regions),
  };
};

interface Base {
  network: Network;
  keys: Keys;
  quarantine: Quarantine;
}

const baseOf = (stage: Stage, region: Region): Base => {
  const net = network(stage, region);
  return { network: net, keys: keys(stage, region), quarantine: quarantine(stage, region, net) };
};

interface Front {
  balancer: Balancer;
  cache: Cache;
}

interface Parts extends Base, Front {
  storage: Storage;
  database: Database;
  repository: Repository;
  secrets: Record<SecretName, Secret>;
  certificateArn: Output<string>;
  monitoringRoleArn: Output<string>;
  evidenceKey: Output<string>;
}

const siteOf = (stage: Stage, region: Region, parts: Parts): Site => {
  const { network: net, balancer: front, cache: memory, database, repository } = parts;
  const instances = application(stage, region, {
    ...parts,
    databaseHost: databaseHost(stage, region, { ...parts, login: parts.secrets.database }),
    cacheHost: memory.host,
    targetGroupArn: front.targetGroup.arn,
  });
  return {
    region,
    keys: parts.keys,
    databaseId: database.id,
    databaseArn: database.arn,
    databaseHost: database.host,
    databasePort,
    databaseSecurityGroup: net.groups.database,
    databaseParameterGroup: database.parameterGroup,
    databaseSubnetGroup: database.subnetGroup,
    monitoringRoleArn: parts.monitoringRoleArn,
    databaseLogGroup: database.logGroup,
    balancerSecurityGroup: net.groups.balancer,
    cacheSecurityGroup: net.groups.cache,
    applicationSecurityGroup: net.groups.application,
    functionSecurityGroup: net.groups.functions,
    functionSubnets: net.privateSubnets,
    zones: net.zones,
    ...instances,
    balancerArn: front.arn,
    balancerName: front.dnsName,
    balancerSuffix: front.suffix,
    targetGroupArn: front.targetGroup.arn,
    targetGroupSuffix: front.targetGroup.suffix,
    listenerArn: front.listenerArn,
    roleRuleArn: front.roleRuleArn,
    certificateArn: parts.certificateArn,
    regionalName: regionalName(stage, region),
    cacheId: memory.id,
    cacheNodes: memory.nodes,
    cacheHost: memory.host,
    repository: { name: repository.name, arn: repository.arn },
    secrets: parts.secrets,
    ...parts.storage,
    evidenceKey: parts.evidenceKey,
    quarantine: parts.quarantine,
  };
};
