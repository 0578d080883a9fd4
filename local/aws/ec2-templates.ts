import type {
  CreateLaunchTemplateCommandInput,
  CreateLaunchTemplateCommandOutput,
  CreateLaunchTemplateVersionCommandInput,
  CreateLaunchTemplateVersionCommandOutput,
  DescribeImagesCommandInput,
  DescribeImagesCommandOutput,
  DescribeLaunchTemplatesCommandInput,
  DescribeLaunchTemplatesCommandOutput,
  DescribeLaunchTemplateVersionsCommandInput,
  DescribeLaunchTemplateVersionsCommandOutput,
  Image,
  LaunchTemplate,
  LaunchTemplateVersion,
  RequestLaunchTemplateData,
} from "@aws-sdk/client-ec2";
import type { Place } from "../network.ts";
import { pageOf } from "./paging.ts";
import type { Call, Surroundings } from "./service.ts";
import { AwsError } from "./service.ts";

/** What a region's instances can be started from. */
export interface Blueprints {
  templates: Map<string, Template>;
  images: Map<string, Image>;
}

interface Template {
  template: LaunchTemplate;
  /** The first is version 1. */
  versions: RequestLaunchTemplateData[];
}

export const blueprints = (): Blueprints => ({ templates: new Map(), images: new Map() });

type Region = (region: Place) => Blueprints;

const refusal = (code: string, message: string) => new AwsError(code, message, { status: 400 });

const byIdOrName = ({ templates }: Blueprints, idOrName: string): Template | undefined => {
  for (const found of templates.values()) {
    const { LaunchTemplateId, LaunchTemplateName } = found.template;
    if (LaunchTemplateId === idOrName || LaunchTemplateName === idOrName) return found;
  }
  return undefined;
};

/** The number that a version stands for; undefined when there is no such template or version. */
export const templateVersion = (
  state: Blueprints,
  idOrName: string,
  version = "$Default",
): number | undefined => {
  const found = byIdOrName(state, idOrName);
  return found && numberOf(found, version);
};

/** What a version of a template says, the default one when none is named. */
export const templateData = (
  state: Blueprints,
  idOrName: string,
  version?: string,
): RequestLaunchTemplateData | undefined => {
  const number = templateVersion(state, idOrName, version);
  return number === undefined ? undefined : byIdOrName(state, idOrName)?.versions[number - 1];
};

/**
 * A machine image that is there when a run begins. Its id counts up: one that was drawn would change
 * everything that a seed draws after it.
 */
export const establishImage = (
  { images }: Blueprints,
  given: { name: string; owner: string },
): string => {
  const ImageId = `ami-0${(images.size + 1).toString(16).padStart(16, "0")}`;
  images.set(ImageId, { ImageId, Name: given.name, OwnerId: given.owner, State: "available" });
  return ImageId;
};

export const templateOperations = (
  surroundings: Surroundings,
  region: Region,
  newId: () => string,
) => ({
  CreateLaunchTemplate: (
    input: CreateLaunchTemplateCommandInput,
    call: Call,
  ): Omit<CreateLaunchTemplateCommandOutput, "$metadata"> => {
    const { templates } = region(call.region);
    for (const { template } of templates.values()) {
      if (template.LaunchTemplateName !== input.LaunchTemplateName) continue;
      throw refusal(
        "InvalidLaunchTemplateName.AlreadyExistsException",
        "Launch template name already in use.",
      );
    }
    const template: LaunchTemplate = {
      LaunchTemplateId: newId(),
      LaunchTemplateName: input.LaunchTemplateName,
      CreateTime: new Date(surroundings.timeline.now()),
      DefaultVersionNumber: 1,
      LatestVersionNumber: 1,
    };
    templates.set(template.LaunchTemplateId ?? "", {
      template,
      versions: [input.LaunchTemplateData ?? {}],
    });
    return { LaunchTemplate: template };
  },
  CreateLaunchTemplateVersion: (
    input: CreateLaunchTemplateVersionCommandInput,
    call: Call,
  ): Omit<CreateLaunchTemplateVersionCommandOutput, "$metadata"> => {
    const found = find(region(call.region), input);
    found.versions.push(input.LaunchTemplateData ?? {});
    found.template.LatestVersionNumber = found.versions.length;
    return { LaunchTemplateVersion: versionShown(found, found.versions.length) };
  },
  DescribeLaunchTemplates: describeTemplates(region),
  DescribeLaunchTemplateVersions: (
    input: DescribeLaunchTemplateVersionsCommandInput,
    call: Call,
  ): Omit<DescribeLaunchTemplateVersionsCommandOutput, "$metadata"> => {
    const found = find(region(call.region), input);
    const all = found.versions.map((_, index) => index + 1);
    const numbers = input.Versions?.length
      ? input.Versions.map((name) => versionNumber(found, name))
      : all;
    const page = pageOf(numbers, input.NextToken, input.MaxResults ?? 200);
    return {
      LaunchTemplateVersions: page.items.map((number) => versionShown(found, number)),
      ...(page.next ? { NextToken: page.next } : {}),
    };
  },
  DescribeImages: describeImages(region),
});

const describeImages =
  (region: Region) =>
  (
    input: DescribeImagesCommandInput,
    call: Call,
  ): Omit<DescribeImagesCommandOutput, "$metadata"> => {
    const { images } = region(call.region);
    const missing = (input.ImageIds ?? []).find((id) => !images.has(id));
    if (missing !== undefined) {
      throw refusal("InvalidAMIID.NotFound", `The image id '[${missing}]' does not exist`);
    }
    const Images = [...images.values()].filter(
      ({ ImageId = "" }) => !input.ImageIds?.length || input.ImageIds.includes(ImageId),
    );
    return { Images };
  };

const find = (
  { templates }: Blueprints,
  named: { LaunchTemplateId?: string | undefined; LaunchTemplateName?: string | undefined },
): Template => {
  for (const found of templates.values()) {
    const { LaunchTemplateId, LaunchTemplateName } = found.template;
    if (named.LaunchTemplateId && named.LaunchTemplateId === LaunchTemplateId) return found;
    if (named.LaunchTemplateName && named.LaunchTemplateName === LaunchTemplateName) return found;
  }
  const key = named.LaunchTemplateId ? "LaunchTemplateId" : "LaunchTemplateName";
  const message = `The specified launch template, ${named[key]}, does not exist.`;
  throw refusal(`Invalid${key}.NotFoundException`, message);
};

const numberOf = ({ template, versions }: Template, name: string): number | undefined => {
  const number =
    name === "$Latest"
      ? versions.length
      : name === "$Default"
        ? (template.DefaultVersionNumber ?? 1)
        : Number(name);
  return versions[number - 1] ? number : undefined;
};

const versionNumber = (found: Template, name: string): number => {
  const number = numberOf(found, name);
  if (number !== undefined) return number;
  const message =
    `Could not find the specified version ${name} for the launch template with ID ` +
    `${found.template.LaunchTemplateId}.`;
  throw refusal("InvalidLaunchTemplateId.VersionNotFound", message);
};

const versionShown = (
  { template, versions }: Template,
  VersionNumber: number,
): LaunchTemplateVersion => ({
  LaunchTemplateId: template.LaunchTemplateId,
  LaunchTemplateName: template.LaunchTemplateName,
  VersionNumber,
  DefaultVersion: template.DefaultVersionNumber === VersionNumber,
  LaunchTemplateData: versions[VersionNumber - 1] as LaunchTemplateVersion["LaunchTemplateData"],
});

const describeTemplates =
  (region: Region) =>
  (
    input: DescribeLaunchTemplatesCommandInput,
    call: Call,
  ): Omit<DescribeLaunchTemplatesCommandOutput, "$metadata"> => {
    const all = [...region(call.region).templates.values()].map(({ template }) => template);
    const pick = (
      wanted: string[] | undefined,
      key: "LaunchTemplateId" | "LaunchTemplateName",
      list: LaunchTemplate[],
    ) => {
      if (!wanted?.length) return list;
      const missing = wanted.find((value) => !list.some((template) => template[key] === value));
      if (missing === undefined) return list.filter((item) => wanted.includes(item[key] ?? ""));
      const message = `The specified launch template, ${missing}, does not exist.`;
      throw refusal(`Invalid${key}.NotFoundException`, message);
    };
    const byId = pick(input.LaunchTemplateIds, "LaunchTemplateId", all);
    const found = pick(input.LaunchTemplateNames, "LaunchTemplateName", byId);
    const page = pageOf(found, input.NextToken, input.MaxResults ?? 200);
    return { LaunchTemplates: page.items, ...(page.next ? { NextToken: page.next } : {}) };
  };
