/**
 * Families with a `g` behind their generation run on Graviton: t4g, m7g, c7gn, r8gd. Source: "Amazon EC2
 * instance type naming conventions".
 */
export const architectureOf = (instanceType: string): "arm64" | "x86_64" =>
  /^[a-z]+\d+g/.test(instanceType) ? "arm64" : "x86_64";

/**
 * AWS makes images of several kernel lines beside each other (in 2026 of 6.1, 6.12 and 6.18), and their
 * names do not sort by line, so one is named. A line gets every fix for two years and those that matter
 * for two more, and after that no images: raise it within that time. What AWS calls its default changes
 * each June. Sources: "The Amazon Linux Kernel" in the AL2023 user guide, releases of amazon-eks-ami.
 */
export const kernel = "6.12";

/**
 * The name of an image of Amazon Linux 2023, as `al2023-ami-2023.11.20260526.0-kernel-6.18-x86_64`. Not
 * `al2023-ami-minimal-…` or `…-ecs-…`, which have neither docker's package nor the AWS CLI.
 */
export const imageNameFor = (instanceType: string): string =>
  `al2023-ami-2023.*-kernel-${kernel}-${architectureOf(instanceType)}`;
