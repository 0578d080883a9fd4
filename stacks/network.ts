import type { Output } from "@pulumi/pulumi";
import type { Groups } from "./groups.ts";
import { everywhere, groupsOf } from "./groups.ts";
import { natInstance } from "./nat.ts";
import type { Region } from "./regions.ts";
import { named } from "./regions.ts";
import type { Stage } from "./stage.ts";

/** A region's network over three zones. */
export interface Network {
  vpcId: Output<string>;
  /** For load balancers and NAT only. Known once a route leads out of them. */
  publicSubnets: Output<string>[];
  /** Applications and functions: they reach out, and nobody reaches in. */
  privateSubnets: Output<string>[];
  /** Databases and caches: no route leads out of the network. */
  isolatedSubnets: Output<string>[];
  groups: Groups;
  zones: Output<string>[];
}

/** Different in each region, so that the two can be joined one day. */
const firstBytes = { primary: "10.20", standby: "10.21", witness: "10.22" } as const;
const zones = [0, 1, 2];

export const network = (stage: Stage, region: Region): Network => {
  const { provider } = region;
  const cidr = `${firstBytes[region.role]}.0.0/16`;
  const vpc = new aws.ec2.Vpc(
    named("Network", region),
    {
      cidrBlock: cidr,
      enableDnsHostnames: true,
      enableDnsSupport: true,
      tags: { Name: stage.prefix },
    },
    { provider },
  );
  // Whatever names no group gets this one, which lets nothing in or out.
  new aws.ec2.DefaultSecurityGroup(
    named("NoGroup", region),
    { vpcId: vpc.id, ingress: [], egress: [] },
    { provider },
  );
  const subnets = (kind: Kind) => zones.map((zone) => subnetOf(stage, region, vpc.id, kind, zone));
  const parts = {
    publicSubnets: subnets("public"),
    privateSubnets: subnets("private"),
    isolatedSubnets: subnets("isolated"),
  };
  const groups = groupsOf(stage, region, vpc.id);
  const { tables, publicSubnets } = routesOf(stage, region, { vpcId: vpc.id, cidr, ...parts });
  endpointsOf(stage, region, { vpcId: vpc.id, cidr, tables, subnets: parts.privateSubnets });
  const names = zones.map((zone) => zoneName(region, zone));
  return { vpcId: vpc.id, groups, zones: names, ...parts, publicSubnets };
};

type Kind = "public" | "private" | "isolated";

/** A quarter for each kind, in blocks of 4096 addresses: instances and functions take one each. */
const blocks = { public: 0, private: 4, isolated: 8 } as const;

const zoneName = ({ provider }: Region, zone: number): Output<string> =>
  aws
    .getAvailabilityZonesOutput(
      { state: "available", filters: [{ name: "opt-in-status", values: ["opt-in-not-required"] }] },
      { provider },
    )
    .names.apply((names) => names[zone] ?? "");

const subnetOf = (
  stage: Stage,
  region: Region,
  vpcId: Output<string>,
  kind: Kind,
  zone: number,
): Output<string> => {
  const letter = "ABC"[zone];
  return new aws.ec2.Subnet(
    named(`${kind[0]?.toUpperCase()}${kind.slice(1)}Subnet${letter}`, region),
    {
      vpcId,
      cidrBlock: `${firstBytes[region.role]}.${(blocks[kind] + zone) * 16}.0/20`,
      availabilityZone: zoneName(region, zone),
      // Nothing gets a public address by being put here: load balancers and NAT bring their own.
      mapPublicIpOnLaunch: false,
      tags: { Name: `${stage.prefix}-${kind}-${letter?.toLowerCase()}` },
    },
    { provider: region.provider },
  ).id;
};

interface Laid {
  vpcId: Output<string>;
  cidr: string;
  publicSubnets: Output<string>[];
  privateSubnets: Output<string>[];
  isolatedSubnets: Output<string>[];
}

interface Routes {
  /** The tables that lead out, and those that do not, for the gateways of S3 and DynamoDB. */
  tables: Output<string>[];
  publicSubnets: Output<string>[];
}

const routesOf = (stage: Stage, region: Region, laid: Laid): Routes => {
  const { provider } = region;
  const { vpcId, privateSubnets, isolatedSubnets } = laid;
  const table = (name: string, subnets: Output<string>[]) => {
    const { id } = new aws.ec2.RouteTable(named(`${name}Routes`, region), { vpcId }, { provider });
    const joined = subnets.map(
      (subnetId, index) =>
        new aws.ec2.RouteTableAssociation(
          named(`${name}Routes${index}`, region),
          { routeTableId: id, subnetId },
          { provider },
        ),
    );
    return { id, joined };
  };
  const internet = new aws.ec2.InternetGateway(named("Internet", region), { vpcId }, { provider });
  const open = table("Public", laid.publicSubnets);
  const toInternet = new aws.ec2.Route(
    named("ToInternet", region),
    { routeTableId: open.id, destinationCidrBlock: everywhere, gatewayId: internet.id },
    { provider },
  );
  // AWS puts neither a public address nor a load balancer into a network without a gateway, and takes
  // the gateway away from none that still has them.
  const publicSubnets = laid.publicSubnets.map((subnet, zone) =>
    $resolve([subnet, toInternet.id, open.joined[zone]?.id]).apply(([id]) => id),
  );
  const reaching = privateSubnets.map(
    (subnet, zone) => table(`Private${"ABC"[zone]}`, [subnet]).id,
  );
  const out = waysOut(stage, region, { ...laid, publicSubnets }, internet);
  reaching.forEach((routeTableId, zone) => {
    new aws.ec2.Route(
      named(`Out${"ABC"[zone]}`, region),
      { routeTableId, destinationCidrBlock: everywhere, ...out[zone] },
      { provider },
    );
  });
  return { tables: [...reaching, table("Isolated", isolatedSubnets).id], publicSubnets };
};

type WayOut = { natGatewayId: Output<string> } | { networkInterfaceId: Output<string> };

/** One for each zone: what it leads through is in the same zone, or the same for all. */
const waysOut = (
  stage: Stage,
  region: Region,
  { vpcId, cidr, publicSubnets }: Laid,
  internet: aws.ec2.InternetGateway,
): WayOut[] => {
  if (stage.nat === "one-instance") {
    const networkInterfaceId = natInstance(stage, region, {
      vpcId,
      cidr,
      subnetId: publicSubnets[0] as Output<string>,
    });
    return zones.map(() => ({ networkInterfaceId }));
  }
  return publicSubnets.map((subnetId, zone) => {
    const letter = "ABC"[zone];
    const address = new aws.ec2.Eip(
      named(`NatAddress${letter}`, region),
      { domain: "vpc", tags: { Name: `${stage.prefix}-nat-${letter?.toLowerCase()}` } },
      { provider: region.provider, dependsOn: [internet] },
    );
    const gateway = new aws.ec2.NatGateway(
      named(`Nat${letter}`, region),
      { subnetId, allocationId: address.id },
      { provider: region.provider },
    );
    return { natGatewayId: gateway.id };
  });
};

/**
 * What instances and the database function need of AWS to start in a failover: images (ECR keeps their
 * layers in S3), secrets and logs. The two gateways cost nothing. The others are worth their price where
 * every zone has a gateway to pay by the gigabyte; STS and Lambda are not among them, since nothing in
 * the network calls them. Source: "Gateway endpoints" and "Interface endpoints" in the guide of VPC.
 */
const endpointsOf = (
  stage: Stage,
  region: Region,
  at: { vpcId: Output<string>; cidr: string; tables: Output<string>[]; subnets: Output<string>[] },
): void => {
  const { provider } = region;
  const { vpcId, cidr, tables, subnets } = at;
  const title = (service: string) =>
    named(
      service
        .split(/[.-]/)
        .map((part) => `${part[0]?.toUpperCase()}${part.slice(1)}`)
        .join("")
        .concat("Endpoint"),
      region,
    );
  const serviceName = (service: string) => `com.amazonaws.${region.name}.${service}`;
  for (const service of ["s3", "dynamodb"]) {
    new aws.ec2.VpcEndpoint(
      title(service),
      {
        vpcId,
        serviceName: serviceName(service),
        vpcEndpointType: "Gateway",
        routeTableIds: tables,
      },
      { provider },
    );
  }
  if (stage.endpoints.length === 0) return;
  const group = new aws.ec2.SecurityGroup(
    named("EndpointGroup", region),
    {
      name: `${stage.prefix}-endpoints`,
      description: "AWS services, from within the network only",
      vpcId,
      ingress: [{ protocol: "tcp", fromPort: 443, toPort: 443, cidrBlocks: [cidr] }],
      egress: [],
    },
    { provider },
  );
  for (const service of stage.endpoints) {
    new aws.ec2.VpcEndpoint(
      title(service),
      {
        vpcId,
        serviceName: serviceName(service),
        vpcEndpointType: "Interface",
        privateDnsEnabled: true,
        subnetIds: subnets,
        securityGroupIds: [group.id],
      },
      { provider },
    );
  }
};
