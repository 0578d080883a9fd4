import type { Target } from "@aws-sdk/client-eventbridge";

/** `$.detail.state.value`: all that is modelled of JSONPath. */
const at = (event: unknown, path: string): unknown => {
  let current: unknown = event;
  for (const name of path.split(".").slice(1)) {
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Record<string, unknown>)[name];
  }
  return current;
};

/** Fills `<name>` in: as JSON, or inside of a string of the template as a part of its text. */
const fill = (template: string, find: (name: string) => unknown): string => {
  let insideString = false;
  return template.replace(/\\.|"|<([\w.]+)>/g, (whole, name: string | undefined) => {
    if (whole === '"') insideString = !insideString;
    if (name === undefined) return whole;
    const value = find(name) ?? "";
    if (!insideString) return JSON.stringify(value);
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return JSON.stringify(text).slice(1, -1);
  });
};

/** What a target gets: the event itself, a part of it, a constant, or a filled-in template. */
export const targetInput = (target: Target, event: unknown): unknown => {
  if (target.Input !== undefined) return JSON.parse(target.Input);
  if (target.InputPath !== undefined) return at(event, target.InputPath);
  const transformer = target.InputTransformer;
  if (!transformer?.InputTemplate) return event;
  const paths = transformer.InputPathsMap ?? {};
  const filled = fill(transformer.InputTemplate, (name) =>
    name === "aws.events.event.json" ? event : at(event, paths[name] ?? "$.?"),
  );
  return JSON.parse(filled);
};
