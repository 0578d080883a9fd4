/** What AWS would answer, as far as the stacks and SST's components read it. */
import { account, arnFor, multiRegionKey } from "./arns.ts";

interface Made {
  type: string;
  name: string;
  inputs: Record<string, unknown>;
}

/** Data that is looked up while resources are declared. Throws for a look-up it does not know. */
export const callOf = (
  { token, inputs }: { token: string; inputs: Record<string, unknown> },
  region: string,
): Record<string, unknown> => {
  const answers: Record<string, () => Record<string, unknown>> = {
    "aws:index/getRegion:getRegion": () => ({ id: region, name: region, region }),
    "aws:index/getPartition:getPartition": () => ({ partition: "aws", dnsSuffix: "amazonaws.com" }),
    "aws:index/getCallerIdentity:getCallerIdentity": () => ({
      accountId: account,
      arn: `arn:aws:iam::${account}:root`,
      id: account,
      userId: account,
    }),
    "aws:index/getAvailabilityZones:getAvailabilityZones": () => ({
      id: region,
      names: ["a", "b", "c"].map((zone) => `${region}${zone}`),
      zoneIds: ["az1", "az2", "az3"],
    }),
    "aws:ec2/getAmi:getAmi": () => machineImageFor(inputs as unknown as ImageQuery),
    "aws:route53/getZone:getZone": () => zoneOf(String(inputs.name)),
    "aws:iam/getPolicyDocument:getPolicyDocument": () => ({ json: policyJson(inputs) }),
  };
  const found = answers[token];
  if (!found) throw new Error(`deploy/world.ts does not know the look-up ${token}`);
  return found();
};

interface ImageQuery {
  filters: { name: string; values: string[] }[];
}

/** Names of images as AWS gives them, the newest first: that of an older kernel is not always older. */
const machineImages = ["arm64", "x86_64"].flatMap((architecture) =>
  [
    "-minimal-2023.12-kernel-6.12",
    "-2023.12-kernel-6.18",
    "-2023.12-kernel-6.12",
    "-2023.12-kernel-6.1",
  ].map((rest) => `al2023-ami${rest}-${architecture}`),
);

/** The newest one that all filters let through. Its id says which, so that a policy can judge it. */
const machineImageFor = ({ filters }: ImageQuery) => {
  const patterns = filters
    .filter(({ name }) => name === "name")
    .flatMap(({ values }) => values)
    .map((value) => new RegExp(`^${value.replaceAll(".", "\\.").replaceAll("*", ".*")}$`));
  const found = machineImages.find((name) => patterns.some((pattern) => pattern.test(name)));
  if (!found) throw new Error("Your query returned no results");
  const id = found.replace("al2023-ami", "ami");
  return { id, imageId: id };
};

/** The account of this world has a zone for every domain but one, to see what becomes of that. */
const zoneOf = (name: string) => {
  if (name === "no-zone.example.com") throw new Error("no matching Route 53 Hosted Zone found");
  return { id: "Z0123456789", zoneId: "Z0123456789", name };
};

interface Statement {
  sid?: string;
  effect?: string;
  actions?: string[];
  resources?: string[];
  notActions?: string[];
  conditions?: { test: string; variable: string; values: string[] }[];
  principals?: { type: string; identifiers: string[] }[];
}

/** As the provider renders a document: a list of one is a text. */
const policyJson = ({ statements = [] }: { statements?: Statement[] }): string => {
  const one = <T>(list: T[] | undefined) => (list?.length === 1 ? list[0] : list);
  const principals = (list: Statement["principals"]) =>
    list && Object.fromEntries(list.map(({ type, identifiers }) => [type, one(identifiers)]));
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: statements.map((each) => ({
      Sid: each.sid,
      Effect: each.effect ?? "Allow",
      Action: one(each.actions),
      NotAction: one(each.notActions),
      Resource: one(each.resources),
      Principal: principals(each.principals),
      Condition: each.conditions && conditionsOf(each.conditions),
    })),
  });
};

const conditionsOf = (list: NonNullable<Statement["conditions"]>) => {
  const conditions: Record<string, Record<string, unknown>> = {};
  for (const { test, variable, values } of list) {
    conditions[test] = { ...conditions[test], [variable]: values };
  }
  return conditions;
};

/** `aws:rds/instance:Instance` to the part of an ARN, where one is read by somebody else. */
const services: Record<string, string> = {
  alb: "elasticloadbalancing",
  lb: "elasticloadbalancing",
};

/** What AWS makes up for a new resource and others read: names, ARNs, addresses. */
export const outputsOf = ({ type, name, inputs }: Made, usual: string): Record<string, unknown> => {
  const [, service = "", kind = ""] = /^aws:([\w-]+)\/(\w+):/.exec(type) ?? [];
  if (service === "") return randomOutputs(type);
  const region = String(inputs.region ?? usual);
  const id = String(inputs.name ?? inputs.alarmName ?? inputs.bucket ?? inputs.identifier ?? name);
  const usualArn = `arn:aws:${services[service] ?? service}:${region}:${account}:${kind.toLowerCase()}/${id}`;
  const arn = arnFor(type, id, region) ?? usualArn;
  return {
    arn,
    ...(inputs.name === undefined ? { name: id } : {}),
    ...special(type, id, region, inputs),
  };
};

const keyOf = (region: string, isMultiRegion: boolean) =>
  isMultiRegion
    ? { keyId: multiRegionKey, arn: `arn:aws:kms:${region}:${account}:key/${multiRegionKey}` }
    : { keyId: "11111111-2222-4333-8444-555555555555" };

const special = (
  type: string,
  id: string,
  region: string,
  inputs: Record<string, unknown>,
): Record<string, unknown> => {
  switch (type) {
    case "aws:lambda/alias:Alias":
      return { arn: `arn:aws:lambda:${region}:${account}:function:${inputs.functionName}:${id}` };
    case "aws:sqs/queue:Queue":
      return { url: `https://${region}.queue.amazonaws.com/${account}/${id}` };
    case "aws:lambda/function:Function":
      return {
        arn: `arn:aws:lambda:${region}:${account}:function:${id}`,
        qualifiedArn: `arn:aws:lambda:${region}:${account}:function:${id}:1`,
        invokeArn: `arn:aws:apigateway:${region}:lambda:path/functions/${id}/invocations`,
        version: "1",
      };
    case "aws:lambda/functionUrl:FunctionUrl":
      return { functionUrl: `https://${id.toLowerCase()}.lambda-url.${region}.on.aws/`, urlId: id };
    case "aws:iam/role:Role":
      return { arn: `arn:aws:iam::${account}:role/${id}`, uniqueId: `AROA${id}` };
    case "aws:s3/bucket:Bucket":
    case "aws:s3/bucketV2:BucketV2":
      return { arn: `arn:aws:s3:::${id}`, bucket: id.toLowerCase() };
    case "aws:lb/loadBalancer:LoadBalancer":
      return {
        dnsName: `${id}-1234567890.${region}.elb.amazonaws.com`,
        zoneId: "Z35SXDOTRQ7X7K",
        arnSuffix: `app/${id}/0123456789abcdef`,
      };
    case "aws:lb/targetGroup:TargetGroup":
      return { arnSuffix: `targetgroup/${id}/0123456789abcdef` };
    case "aws:rds/instance:Instance":
      return {
        arn: `arn:aws:rds:${region}:${account}:db:${id}`,
        address: `${id}.abcdefghijkl.${region}.rds.amazonaws.com`,
        endpoint: `${id}.abcdefghijkl.${region}.rds.amazonaws.com:5432`,
        port: 5432,
        resourceId: "db-ABCDEFGHIJKL",
      };
    case "aws:elasticache/replicationGroup:ReplicationGroup":
      return { primaryEndpointAddress: `master.${id}.abcdef.${region}.cache.amazonaws.com` };
    case "aws:kms/key:Key":
    case "aws:kms/replicaKey:ReplicaKey":
      return keyOf(region, type.includes("replica") || inputs.multiRegion === true);
    case "aws:acm/certificate:Certificate":
      return { domainValidationOptions: proofsOf(inputs) };
    case "aws:acm/certificateValidation:CertificateValidation":
      return { certificateArn: inputs.certificateArn };
    case "aws:route53/record:Record":
      return { fqdn: inputs.name };
    case "aws:ec2/instance:Instance":
      return { primaryNetworkInterfaceId: `eni-${id}` };
    case "aws:secretsmanager/secret:Secret":
      return { arn: `arn:aws:secretsmanager:${region}:${account}:secret:${id}-AbCdEf` };
    case "aws:dynamodb/table:Table":
      return { arn: `arn:aws:dynamodb:${region}:${account}:table/${id}` };
    case "aws:ec2/launchTemplate:LaunchTemplate":
      return { latestVersion: 1 };
    case "aws:ec2/subnet:Subnet":
      return {};
    case "aws:ecr/repository:Repository":
      return { repositoryUrl: `${account}.dkr.ecr.${region}.amazonaws.com/${id}` };
    default:
      return {};
  }
};

/** What has to stand in the zone for each name of a certificate. */
const proofsOf = (inputs: Record<string, unknown>) =>
  [inputs.domainName, ...((inputs.subjectAlternativeNames as unknown[]) ?? [])].map((name) => ({
    domainName: name,
    resourceRecordName: `_proof.${String(name)}.`,
    resourceRecordType: "CNAME",
    resourceRecordValue: "_proof.acm-validations.aws.",
  }));

const randomOutputs = (type: string): Record<string, unknown> => {
  if (type === "random:index/randomPassword:RandomPassword") return { result: "(random)" };
  if (type.startsWith("random:"))
    return { result: "abcd", hex: "abcd1234", b64Std: "(random)", b64Url: "(random)" };
  return {};
};
