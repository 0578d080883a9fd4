import { describe, expect, it } from "vitest";
import { acm } from "../../local/aws/acm.ts";
import { ec2 } from "../../local/aws/ec2.ts";
import { ecr } from "../../local/aws/ecr.ts";
import { upkeep } from "../../local/aws/rds-upkeep.ts";
import { account, around, asking, failure, home, standby } from "./asking.ts";

describe("certificates", () => {
  it("are known in their own region only, and end some day", () => {
    const { surroundings, timeline } = around();
    const certificates = acm(surroundings);
    const ask = asking(certificates.service);
    const CertificateArn = certificates.establish(home, { DomainName: "app.example.com" });
    const { Certificate } = ask("DescribeCertificate", { CertificateArn });
    expect(Certificate).toMatchObject({
      Status: "ISSUED",
      SubjectAlternativeNames: ["app.example.com"],
    });
    expect((Certificate as { NotAfter: Date }).NotAfter.getTime()).toBeGreaterThan(timeline.now());
    expect(failure(() => ask("DescribeCertificate", { CertificateArn }, standby)).name).toBe(
      "ResourceNotFoundException",
    );
    certificates.change(home, CertificateArn, { Status: "EXPIRED" });
    expect(ask("DescribeCertificate", { CertificateArn }).Certificate).toMatchObject({
      Status: "EXPIRED",
    });
  });
});

describe("the registry", () => {
  const imageId = { imageDigest: "sha256:1" };

  it("has an image where it was pushed, until it is removed", () => {
    const registry = ecr(around().surroundings);
    const ask = asking(registry.service);
    registry.establish(home, "platform", { digest: "sha256:1", tags: ["latest"] });
    const asked = { repositoryName: "platform", imageIds: [imageId] };
    expect(ask("DescribeImages", asked).imageDetails).toMatchObject([
      { imageDigest: "sha256:1", imageTags: ["latest"] },
    ]);
    expect(failure(() => ask("DescribeImages", asked, standby)).name).toBe(
      "RepositoryNotFoundException",
    );
    const byTag = { ...asked, imageIds: [{ imageTag: "latest" }] };
    expect(ask("DescribeImages", byTag).imageDetails).toHaveLength(1);
    registry.remove(home, "platform", "sha256:1");
    expect(failure(() => ask("DescribeImages", asked)).name).toBe("ImageNotFoundException");
    expect(ask("DescribeImages", { repositoryName: "platform" }).imageDetails).toEqual([]);
  });
});

describe("what instances start from", () => {
  const named = { LaunchTemplateName: "platform" };

  it("is asked for by number, by $Default and by $Latest", () => {
    const machines = ec2(around().surroundings);
    const ask = asking(machines.service);
    ask("CreateLaunchTemplate", { ...named, LaunchTemplateData: { ImageId: "ami-1" } });
    ask("CreateLaunchTemplateVersion", { ...named, LaunchTemplateData: { ImageId: "ami-2" } });
    const imageOf = (version: string) => {
      const asked = { ...named, Versions: [version] };
      const { LaunchTemplateVersions } = ask("DescribeLaunchTemplateVersions", asked) as {
        LaunchTemplateVersions: { LaunchTemplateData: { ImageId: string } }[];
      };
      return LaunchTemplateVersions.map(({ LaunchTemplateData }) => LaunchTemplateData.ImageId);
    };
    expect(["1", "2", "$Default", "$Latest"].flatMap(imageOf)).toEqual([
      ...["ami-1", "ami-2", "ami-1", "ami-2"],
    ]);
    expect(failure(() => imageOf("3")).name).toBe("InvalidLaunchTemplateId.VersionNotFound");
    expect(failure(() => ask("DescribeLaunchTemplateVersions", named, standby)).name).toBe(
      "InvalidLaunchTemplateName.NotFoundException",
    );
  });

  it("is a machine image of the same region", () => {
    const machines = ec2(around().surroundings);
    const ask = asking(machines.service);
    const id = machines.establishImage(home, "host");
    expect(ask("DescribeImages", { ImageIds: [id] }).Images).toMatchObject([
      { ImageId: id, Name: "host", State: "available" },
    ]);
    const gone = () => ask("DescribeImages", { ImageIds: [id] });
    machines.removeImage(home, id);
    expect(failure(gone).name).toBe("InvalidAMIID.NotFound");
  });
});

describe("what RDS has in store", () => {
  const arn = `arn:aws:rds:${home}:${account}:db:platform`;
  const made = () => {
    const kept = upkeep();
    return { ...kept, ask: asking({ name: "rds", operations: kept.operations }) };
  };

  it("has the default parameter groups everywhere, and others where they were made", () => {
    const { ask, establishParameterGroup } = made();
    const asked = { DBParameterGroupName: "platform-18" };
    const name = () => failure(() => ask("DescribeDBParameterGroups", asked)).name;
    expect(name()).toBe("DBParameterGroupNotFoundFault");
    establishParameterGroup(home, "platform-18");
    expect(ask("DescribeDBParameterGroups", asked).DBParameterGroups).toMatchObject([asked]);
    const byDefault = { DBParameterGroupName: "default.postgres18" };
    expect(ask("DescribeDBParameterGroups", byDefault, standby).DBParameterGroups).toHaveLength(1);
  });

  it("announces maintenance for the one instance that it is planned for", () => {
    const { ask, planMaintenance } = made();
    const asked = { ResourceIdentifier: arn };
    const planned = (region?: string) =>
      ask("DescribePendingMaintenanceActions", asked, region).PendingMaintenanceActions;
    expect(planned()).toEqual([]);
    planMaintenance(arn, { Action: "os-upgrade" });
    expect(planned()).toEqual([
      { ResourceIdentifier: arn, PendingMaintenanceActionDetails: [{ Action: "os-upgrade" }] },
    ]);
    expect(planned(standby)).toEqual([]);
  });
});
