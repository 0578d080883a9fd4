/** HTML that was made here, as opposed to text, which is escaped when it is put into it. */
export interface Markup {
  readonly text: string;
  readonly isMarkup: true;
}

export const markup = (text: string): Markup => ({ text, isMarkup: true });

/** Whatever a record says is text: an operator's SQL or a table's name must not become a page. */
export const html = (
  parts: TemplateStringsArray,
  ...values: (string | number | Markup)[]
): Markup =>
  markup(
    parts.reduce((made, part, index) => {
      const value = values[index - 1] ?? "";
      return made + (typeof value === "object" ? value.text : escaped(String(value))) + part;
    }),
  );

export const joined = (parts: readonly Markup[]): Markup =>
  markup(parts.map(({ text }) => text).join(""));

export const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** `41 s`, `12 min 5 s`, `3 h 20 min`; what was not measured says so. */
export const duration = (seconds: number | null): string => {
  if (seconds === null) return "not measured";
  const whole = Math.round(seconds);
  if (whole < 120) return `${whole} s`;
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
  return whole % 60 > 0 ? `${minutes} min ${whole % 60} s` : `${minutes} min`;
};
