import { FromStringShapeDeserializer } from "@smithy/core/protocols";
import type { NormalizedSchema } from "@smithy/core/schema";

/** `Filters.Filter.1.Name=x` as a tree. */
interface Node {
  text: string | undefined;
  children: Map<string, Node>;
}
type Reader = (node: Node) => unknown;

/** Timestamps in forms are written as 2026-11-22T03:14:07Z unless the model says otherwise. */
const iso8601 = 5;
const scalars = new FromStringShapeDeserializer({
  timestampFormat: { useTrait: true, default: iso8601 },
  httpBindings: false,
});

export type Form = Map<string, string>;

export const parseForm = (text: string): Form => {
  const form: Form = new Map();
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const key = equals < 0 ? pair : pair.slice(0, equals);
    form.set(decode(key), equals < 0 ? "" : decode(pair.slice(equals + 1)));
  }
  return form;
};

const decode = (text: string): string => {
  if (!text.includes("%") && !text.includes("+")) return text;
  return decodeURIComponent(text.replaceAll("+", " "));
};

/** Makes the reader of one operation's form, to be kept: `ec2` follows EC2's own dialect. */
export const formReader = (
  input: NormalizedSchema,
  ec2: boolean,
): ((form: Form) => Record<string, unknown>) => {
  if (!input.isStructSchema()) return () => ({});
  const read = readers(ec2)(input);
  return (form) => read(tree(form)) as Record<string, unknown>;
};

const tree = (form: Form): Node => {
  const root: Node = { text: undefined, children: new Map() };
  for (const [key, text] of form) {
    let node = root;
    for (const part of key.split(".")) {
      let child = node.children.get(part);
      if (!child) {
        child = { text: undefined, children: new Map() };
        node.children.set(part, child);
      }
      node = child;
    }
    node.text = text;
  }
  return root;
};

/** The members of a list or map, which carry numbers that need not come in order. */
const numbered = (node: Node | undefined): Node[] =>
  [...(node?.children ?? [])]
    .filter(([key]) => /^\d+$/.test(key))
    .sort(([a], [b]) => Number(a) - Number(b))
    .map(([, child]) => child);

interface QueryTraits {
  xmlName?: string;
  xmlFlattened?: unknown;
  ec2QueryName?: string;
}

const traitsOf = (schema: NormalizedSchema) => schema.getMergedTraits() as QueryTraits;

const scalar = (schema: NormalizedSchema): Reader => {
  if (schema.isStringSchema()) return (node) => node.text ?? "";
  if (schema.isNumericSchema()) return (node) => Number(node.text);
  if (schema.isBooleanSchema()) return (node) => node.text === "true";
  return (node) => scalars.read(schema, node.text ?? "");
};

/** Entries of a map, which are named by the model or by the protocol. */
const pairs =
  (keyName: string, valueName: string, read: Reader) =>
  (entries: Node[]): Record<string, unknown> =>
    Object.fromEntries(
      entries.map((entry) => {
        const value = entry.children.get(valueName);
        return [entry.children.get(keyName)?.text ?? "", value && read(value)];
      }),
    );

const readers = (ec2: boolean) => {
  const known = new Map<unknown, Reader>();
  const keyOf = (schema: NormalizedSchema, name: string): string => {
    const traits = traitsOf(schema);
    return (ec2 ? traits.ec2QueryName : undefined) ?? traits.xmlName ?? name;
  };

  const structure = (schema: NormalizedSchema): Reader => {
    const members: [name: string, key: string, read: Reader][] = [];
    for (const [name, member] of schema.structIterator()) {
      let key = keyOf(member, name);
      if (ec2 && !traitsOf(member).ec2QueryName) key = key.charAt(0).toUpperCase() + key.slice(1);
      members.push([name, key, lazily(member)]);
    }
    return (node) => {
      const value: Record<string, unknown> = {};
      for (const [name, key, read] of members) {
        const child = node.children.get(key);
        if (child) value[name] = read(child);
      }
      return value;
    };
  };

  const list = (schema: NormalizedSchema): Reader => {
    const member = schema.getValueSchema();
    const read = lazily(member);
    if (ec2 || traitsOf(schema).xmlFlattened) return (node) => numbered(node).map(read);
    const key = keyOf(member, "member");
    return (node) => numbered(node.children.get(key)).map(read);
  };

  const map = (schema: NormalizedSchema): Reader => {
    const keyName = keyOf(schema.getKeySchema(), "key");
    const valueName = keyOf(schema.getValueSchema(), "value");
    const paired = pairs(keyName, valueName, lazily(schema.getValueSchema()));
    const flat = traitsOf(schema).xmlFlattened;
    return (node) => paired(numbered(flat ? node : node.children.get("entry")));
  };

  const make = (schema: NormalizedSchema): Reader => {
    if (schema.isStructSchema()) return structure(schema);
    if (schema.isListSchema()) return list(schema);
    if (schema.isMapSchema()) return map(schema);
    return scalar(schema);
  };

  /** Shapes may contain themselves, so that a reader is made when it is first needed. */
  const lazily = (schema: NormalizedSchema): Reader => {
    let reader: Reader | undefined;
    return (node) => (reader ??= readerOf(schema))(node);
  };

  const readerOf = (schema: NormalizedSchema): Reader => {
    // Member traits change how lists and maps are read; structures are the same everywhere.
    if (!schema.isStructSchema()) return make(schema);
    const shape = schema.getSchema();
    let reader = known.get(shape);
    if (!reader) known.set(shape, (reader = make(schema)));
    return reader;
  };
  return readerOf;
};
