/**
 * A secret's value. The parser's own error quotes what stands around the mistake, which is the secret;
 * so a value that is not an object is told by its name only.
 */
export const parseSecret = (name: string, text: string): Record<string, unknown> => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error(`the secret ${name} is not JSON`);
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) {
    throw new Error(`the secret ${name} is not an object`);
  }
  return value as Record<string, unknown>;
};
