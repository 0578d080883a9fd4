import { describe } from "vitest";
import { reachPolicies } from "../../deploy/policies/reach.ts";
import type { Break } from "./breaks.ts";
import { itHolds, like, set, without } from "./breaks.ts";
import { the } from "./recordings.ts";

const open = "the internet reaches";
const doors = "lets in whom the design names";
const sessions = "log in to a machine";
const copies = "copies of backups";

const breaks: Break[] = [
  {
    what: "a database that the internet may ask",
    policy: open,
    change: set("PostgresInPrimary", "publiclyAccessible", true),
    says: /PostgresInPrimary publiclyAccessible/,
  },
  {
    what: "a database group that is open to everybody",
    policy: open,
    change: set("DatabaseGroupInStandby", "ingress", [
      { protocol: "tcp", fromPort: 5432, toPort: 5432, cidrBlocks: ["0.0.0.0/0"] },
    ]),
    says: /DatabaseGroupInStandby lets 0\.0\.0\.0\/0 into/,
  },
  {
    what: "a load balancer that answers on another port",
    policy: open,
    change: set("InternetToBalancer80InPrimary", "toPort", 8080),
    says: /InternetToBalancer80InPrimary lets 0\.0\.0\.0\/0 into BalancerGroupInPrimary on 80 to 8080/,
  },
  {
    what: "instances with public addresses",
    policy: open,
    change: set("LaunchTemplateInPrimary", "networkInterfaces.0.associatePublicIpAddress", "true"),
    says: /LaunchTemplateInPrimary gives instances public addresses/,
  },
  {
    what: "a bucket that nothing keeps from being public",
    policy: open,
    change: without("LogNotPublicInStandby"),
    says: /LogBucketInStandby nothing keeps/,
  },
  {
    what: "a second load balancer",
    policy: open,
    change: like("BalancerInPrimary", { securityGroups: ["BalancerGroupInPrimary-id"] }),
    says: /AnotherBalancerInPrimary is a second/,
  },
  {
    what: "a key that anybody may use",
    policy: open,
    change: (recording) => {
      set(
        "DataKeyInPrimary",
        "policy",
        JSON.stringify({
          Statement: [{ Sid: "Free", Effect: "Allow", Principal: "*", Action: "kms:Decrypt" }],
        }),
      )(recording);
    },
    says: /DataKeyInPrimary Free allows anybody/,
  },
  {
    what: "a public instance in a personal stage that is not its way out",
    policy: open,
    stage: "personal",
    change: like("NatInstanceInPrimary", { associatePublicIpAddress: true }),
    says: /AnotherNatInstanceInPrimary is an instance with a public address/,
  },
  {
    what: "a cache that the load balancer reaches",
    policy: doors,
    change: set(
      "ApplicationToCacheInInPrimary",
      "referencedSecurityGroupId",
      "BalancerGroupInPrimary-id",
    ),
    says: /lets in BalancerGroupInPrimary-id:6379[\s\S]*does not let in ApplicationGroup/,
  },
  {
    what: "an application that takes more than its port",
    policy: doors,
    change: set("BalancerToApplicationInInStandby", "fromPort", 0),
    says: /ApplicationGroupInStandby lets .* into many ports/,
  },
  {
    what: "a database that Nightshift's functions cannot reach",
    policy: doors,
    change: (recording) => {
      set("DatabaseGroupInPrimary", "ingress", [
        { fromPort: 5432, toPort: 5432, securityGroups: ["ApplicationGroupInPrimary-id"] },
      ])(recording);
    },
    says: /DatabaseGroupInPrimary does not let in FunctionGroupInPrimary-id:5432/,
  },
  {
    what: "a route out of the data's subnets",
    policy: "data lies in subnets",
    change: like("OutAInPrimary", { routeTableId: "IsolatedRoutesInPrimary-id" }),
    says: /DatabaseSubnetsInPrimary IsolatedSubnetAInPrimary-id has a way out/,
  },
  {
    what: "a database in two zones only",
    policy: "data lies in subnets",
    change: set("DatabaseSubnetsInStandby", "subnetIds", ["a", "b"]),
    says: /DatabaseSubnetsInStandby is in 2 zones/,
  },
  {
    what: "instances that take sessions",
    policy: sessions,
    change: (recording) => {
      const { inputs } = the(recording, "ApplicationMayInStandby");
      const action = "ssmmessages:OpenDataChannel";
      inputs.policy = String(inputs.policy).replace("ec2:DescribeTags", action);
    },
    says: /ApplicationMayInStandby ssmmessages:OpenDataChannel lets sessions in/,
  },
  {
    what: "instances that somebody has a key for",
    policy: sessions,
    change: set("LaunchTemplateInPrimary", "keyName", "ana"),
    says: /LaunchTemplateInPrimary lets in whoever has its key/,
  },
  {
    what: "a role with AWS's own policy for sessions",
    policy: sessions,
    change: set(
      "DatabaseMonitoringMay",
      "policyArn",
      "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore",
    ),
    says: /DatabaseMonitoringMay lets sessions in/,
  },
  {
    what: "a copy of a backup that the application may take for the database",
    policy: doors,
    change: (recording) => {
      set("CopyGroupInStandby", "ingress.0.securityGroups", ["ApplicationGroupInStandby-id"])(
        recording,
      );
    },
    says: /CopyGroupInStandby lets in ApplicationGroupInStandby-id:5432/,
  },
  {
    what: "a copy of a backup that may send data away",
    policy: copies,
    change: set("CopyGroupInStandby", "egress", undefined),
    says: /CopyGroupInStandby does not say that nothing gets out/,
  },
  {
    what: "a rule that lets copies out",
    policy: copies,
    change: like("VerificationToTlsInPrimary", {
      securityGroupId: "CopyGroupInPrimary-id",
      cidrIpv4: "0.0.0.0/0",
    }),
    says: /CopyGroupInPrimary lets copies reach 0\.0\.0\.0\/0/,
  },
  {
    what: "an application that reaches copies",
    policy: copies,
    change: like("VerificationToTlsInPrimary", {
      securityGroupId: "ApplicationGroupInPrimary-id",
      referencedSecurityGroupId: "CopyGroupInPrimary-id",
    }),
    says: /ApplicationGroupInPrimary reaches copies/,
  },
  {
    what: "a function of production in the quarantine",
    policy: copies,
    change: set("DatabaseInPrimaryFunction", "vpcConfig.securityGroupIds", [
      "VerificationGroupInPrimary-id",
    ]),
    says: /DatabaseInPrimaryFunction is in the quarantine/,
  },
];

describe("who reaches whom", () => itHolds(reachPolicies, breaks));
