import http from "node:http";
import type { AddressInfo } from "node:net";
import type { Block } from "../../shared/message.ts";
import type { Fetch } from "../../shared/slack.ts";
import type { Timeline } from "../time/timeline.ts";

export interface StoredMessage {
  channel: string;
  ts: string;
  text: string;
  blocks: Block[];
  /** The message that this one answers. */
  threadTs?: string;
  /** The only person who sees it. */
  onlyFor?: string;
  updates: number;
  atMilliseconds: number;
}

export interface SlackPlace {
  workspace: string;
  channel: string;
  botToken: string;
  signingSecret: string;
}

/** A stand-in for Slack's Web API: as many methods as are used, and its habits when it refuses. */
export interface SlackStandIn {
  place: SlackPlace;
  /** For clients in this process. */
  fetch: Fetch;
  /** For other processes, on loopback. `url` is what SLACK_API_URL is to be. */
  listen(): Promise<{ url: string; close(): Promise<void> }>;
  messages(): readonly StoredMessage[];
  /** Called after each new or changed message. */
  onMessage(listener: (message: StoredMessage) => void): void;
  /** While silent, every request hangs until its caller gives up. */
  silence(silent: boolean): void;
}

type Json = Record<string, unknown>;
type Answer = { status: number; headers: Record<string, string>; body: Json };

const ok = (body: Json): Answer => ({ status: 200, headers: {}, body: { ok: true, ...body } });
const no = (error: string): Answer => ({ status: 200, headers: {}, body: { ok: false, error } });

/** A channel keeps that many messages; a drill writes about twenty. */
const keptMessages = 5000;

export const slackStandIn = (timeline: Timeline, place: SlackPlace): SlackStandIn => {
  const messages: StoredMessage[] = [];
  const listeners: ((message: StoredMessage) => void)[] = [];
  const released = new Set<() => void>();
  let silent = false;
  let posted = 0;
  const told = (message: StoredMessage) => {
    for (const listener of listeners) listener(message);
  };
  const store = (body: Json, more: Partial<StoredMessage>): StoredMessage => {
    posted += 1;
    const seconds = Math.floor(timeline.now() / 1000);
    const message: StoredMessage = {
      channel: place.channel,
      ts: `${seconds}.${String(posted).padStart(6, "0")}`,
      text: String(body.text ?? ""),
      blocks: (body.blocks as Block[] | undefined) ?? [],
      updates: 0,
      atMilliseconds: timeline.now(),
      ...more,
    };
    messages.push(message);
    if (messages.length > keptMessages) messages.shift();
    told(message);
    return message;
  };
  const methods = webApi({
    workspace: place.workspace,
    store,
    told,
    find: (ts) => messages.find((each) => each.ts === ts),
  });
  const handle = (method: string, authorization: string | undefined, text: string): Answer => {
    const act = methods[method];
    if (!act) return no("unknown_method");
    if (authorization !== `Bearer ${place.botToken}`) return no("invalid_auth");
    const body = JSON.parse(text) as Json;
    if (method === "auth.test") return act(body);
    if (body.channel !== place.channel) return no("channel_not_found");
    if (!body.text && !body.blocks) return no("no_text");
    const wrong = wrongBlocks((body.blocks as Block[] | undefined) ?? []);
    return wrong ? no(wrong) : act(body);
  };
  return {
    place,
    fetch: (url, init) => {
      if (silent) return hanging(init.signal);
      const method = new URL(url).pathname.split("/").at(-1) ?? "";
      const answer = handle(method, init.headers.authorization, init.body);
      return Promise.resolve({
        status: answer.status,
        headers: { get: (name) => answer.headers[name.toLowerCase()] ?? null },
        text: () => Promise.resolve(JSON.stringify(answer.body)),
      });
    },
    listen: () => listen(handle, () => silent, released),
    messages: () => messages,
    onMessage: (listener) => void listeners.push(listener),
    silence: (next) => {
      silent = next;
      if (!next) for (const release of released) release();
    },
  };
};

/** What the methods of Slack's Web API may do to the channel. */
interface Board {
  workspace: string;
  store(body: Json, more: Partial<StoredMessage>): StoredMessage;
  told(message: StoredMessage): void;
  find(ts: string): StoredMessage | undefined;
}

const webApi = (board: Board): Record<string, (body: Json) => Answer> => ({
  "auth.test": () => ok({ team_id: board.workspace, user_id: "U0BOT" }),
  "chat.postMessage": (body) => {
    const threadTs = typeof body.thread_ts === "string" ? { threadTs: body.thread_ts } : {};
    const { ts, channel } = board.store(body, threadTs);
    return ok({ channel, ts });
  },
  "chat.postEphemeral": (body) => {
    const { ts } = board.store(body, { onlyFor: String(body.user) });
    return ok({ message_ts: ts });
  },
  "chat.update": (body) => {
    const message = board.find(String(body.ts));
    if (!message) return no("message_not_found");
    message.text = String(body.text ?? "");
    message.blocks = (body.blocks as Block[] | undefined) ?? [];
    message.updates += 1;
    board.told(message);
    return ok({ channel: message.channel, ts: message.ts });
  },
});

/** Slack's limits. Source: the JSDoc of @slack/types, and bolt-js issue 2509 for the whole. */
const wrongBlocks = (blocks: Block[]): string | undefined => {
  if (blocks.length > 50 || JSON.stringify(blocks).length > 13_200) return "msg_blocks_too_long";
  const fits = blocks.every((block) => {
    if (block.type === "header") return block.text.text.length <= 150;
    if (block.type === "section") {
      return block.text.text.length > 0 && block.text.text.length <= 3000;
    }
    if (block.type === "actions") {
      return block.elements.every(
        ({ value, text }) => value.length <= 2000 && text.text.length <= 75,
      );
    }
    return true;
  });
  return fits ? undefined : "invalid_blocks";
};

const hanging = (signal: AbortSignal): Promise<never> =>
  new Promise((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });

const listen = async (
  handle: (method: string, authorization: string | undefined, text: string) => Answer,
  isSilent: () => boolean,
  released: Set<() => void>,
) => {
  const server = http.createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8");
    request.on("data", (part: string) => {
      text += part;
    });
    request.on("end", () => {
      if (isSilent()) {
        // Hung up on when Slack is heard again: an answer now would be to a question long given up.
        const release = () => void request.socket.destroy();
        released.add(release);
        request.socket.once("close", () => released.delete(release));
        return;
      }
      const method = (request.url ?? "").split("/").at(-1) ?? "";
      const answer = handle(method, request.headers.authorization, text);
      response.writeHead(answer.status, { "content-type": "application/json", ...answer.headers });
      response.end(JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/api`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
};
