/** Colours of the terminal's own theme, so that they are readable on dark and on light. */
const codes = {
  bold: 1,
  dim: 2,
  red: 31,
  green: 32,
  yellow: 33,
  blue: 34,
  magenta: 35,
  cyan: 36,
} as const;

export type Style = keyof typeof codes;
export type Ink = (text: string, ...styles: readonly Style[]) => string;

/** Writes in colour, or leaves text as it is. */
export const ink =
  (colour: boolean): Ink =>
  (text, ...styles) =>
    colour && styles.length > 0
      ? `\u001b[${styles.map((style) => codes[style]).join(";")}m${text}\u001b[0m`
      : text;
