import type { Block } from "../../shared/message.ts";
import type { StoredMessage } from "./slack.ts";

/** A message as lines for a terminal, none of them wider than `columns`. */
export const render = (
  message: Pick<StoredMessage, "text" | "blocks">,
  columns = 100,
): string[] => {
  const lines = message.blocks.length > 0 ? message.blocks.flatMap(blockLines) : [message.text];
  return lines
    .flatMap((line) => line.split("\n"))
    .map(plain)
    .flatMap((line) => wrapped(line, columns - 2))
    .map((line) => `│ ${line}`.trimEnd());
};

const blockLines = (block: Block): string[] => {
  switch (block.type) {
    case "header":
      return [block.text.text, ""];
    case "section":
      return [block.text.text, ""];
    case "context":
      return block.elements.map(({ text }) => text);
    case "actions":
      return [block.elements.map(({ text }) => `[ ${text.text} ]`).join("  "), ""];
    case "divider":
      return ["─".repeat(20)];
  }
};

/** Without Slack's markup: bold marks, mentions and escapes. */
const plain = (line: string): string =>
  line
    .replace(/(^|[\s(])\*([^*]+)\*/g, "$1$2")
    .replace(/<@([A-Z0-9]+)>/g, "@$1")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&amp;", "&");

const wrapped = (line: string, width: number): string[] => {
  const lines: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const space = rest.lastIndexOf(" ", width);
    const cut = space > width / 2 ? space : width;
    lines.push(rest.slice(0, cut));
    rest = rest.slice(cut).trimStart();
  }
  return [...lines, rest];
};
