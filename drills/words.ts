/** Durations, counts and text as a person reads them, on a page and in a terminal. */

const twoDigits = (value: number): string => String(value).padStart(2, "0");

/** `06:12`, `1:06:12`; whole seconds, never negative. */
export const minutes = (seconds: number): string => {
  const whole = Math.round(Math.abs(seconds));
  const hours = Math.floor(whole / 3600);
  const rest = `${twoDigits(Math.floor(whole / 60) % 60)}:${twoDigits(whole % 60)}`;
  return hours > 0 ? `${hours}:${rest}` : rest;
};

/** Time relative to the incident: `+02:31` after it, `-00:40` before it. */
export const offset = (seconds: number): string =>
  `${Math.round(seconds) < 0 ? "-" : "+"}${minutes(seconds)}`;

/** `4.2 s`, `42 s`, `6 min 12 s`, `1 h 06 min`. */
export const spoken = (seconds: number): string => {
  if (seconds < 9.95) return `${Math.round(seconds * 10) / 10} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole >= 3600) {
    return `${Math.floor(whole / 3600)} h ${twoDigits(Math.floor(whole / 60) % 60)} min`;
  }
  return whole % 60 === 0
    ? `${whole / 60} min`
    : `${Math.floor(whole / 60)} min ${twoDigits(whole % 60)} s`;
};

/** `18,204`. Written out because the machine's locale must not change a report. */
export const count = (value: number): string =>
  String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");

/** `1 write`, `3 writes`. */
export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`;

/** With a capital letter, as a sentence begins. */
export const capital = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}`;

// A message from outside could move the cursor or recolour the screen: control and direction
// characters never reach a terminal or a page.
const unsafe = /[\p{Cc}\p{Bidi_Control}]+/gu;

/** One line without control characters. */
export const plain = (text: string): string => text.replace(unsafe, " ").trim();

const wide = /[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uff00-\uff60]/u;
const invisible = /\p{Mn}|\p{Cf}/u;

const columnsOf = (character: string): number => {
  if (invisible.test(character)) return 0;
  return wide.test(character) ? 2 : 1;
};

/** Columns that `text` takes on a terminal; it must hold no control characters. */
export const width = (text: string): number => {
  let columns = 0;
  for (const character of text) columns += columnsOf(character);
  return columns;
};

/** At most `columns` wide; what is cut off is marked by an ellipsis. */
export const clip = (text: string, columns: number): string => {
  if (width(text) <= columns) return text;
  let kept = "";
  let used = 0;
  for (const character of text) {
    used += columnsOf(character);
    if (used > columns - 1) break;
    kept += character;
  }
  return `${kept.trimEnd()}…`;
};

/** Exactly `columns` wide. */
export const padded = (text: string, columns: number): string => {
  const clipped = clip(text, columns);
  return clipped + " ".repeat(Math.max(0, columns - width(clipped)));
};

/** Lines of at most `columns`; words longer than a line are broken. */
export const wrap = (text: string, columns: number): string[] => {
  const lines: string[] = [];
  let line = "";
  for (let word of text.split(" ").filter((part) => part !== "")) {
    if (line !== "" && width(line) + 1 + width(word) <= columns) {
      line += ` ${word}`;
      continue;
    }
    if (line !== "") lines.push(line);
    while (width(word) > columns) {
      const head = headOf(word, columns);
      lines.push(head);
      word = word.slice(head.length);
    }
    line = word;
  }
  if (line !== "" || lines.length === 0) lines.push(line);
  return lines;
};

const headOf = (word: string, columns: number): string => {
  let head = "";
  for (const character of word) {
    if (head !== "" && width(head + character) > columns) break;
    head += character;
  }
  return head;
};
