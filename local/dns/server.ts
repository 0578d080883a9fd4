import { createSocket } from "node:dgram";
import type { AddressInfo, Server, Socket } from "node:net";
import { createServer } from "node:net";
import type { Answer, DecodedPacket, Packet, Question } from "dns-packet";
import * as dns from "dns-packet";
import type { DnsAnswer, DnsRecord } from "../aws/route53-answers.ts";

export interface DnsServer {
  host: string;
  port: number;
  close(): Promise<void>;
}

const portAttempts = 10;
/** Without EDNS a UDP answer must fit into 512 bytes (RFC 1035, 4.2.1). */
const plainLimitBytes = 512;
const idleMilliseconds = 5000;

/** Extended and reserved codes are not in the library's header type. */
const responseCode = { "no-name": 3, "not-ours": 5, malformed: 1, broken: 2 };

/**
 * An authoritative name server over UDP and TCP, on one free port of `host`. A question that it
 * cannot read is answered with FORMERR, one whose answer fails with SERVFAIL, and `onError` told.
 */
export const dnsServer = async (
  answer: (name: string, type: string) => DnsAnswer,
  options: { host?: string; port?: number; onError: (error: unknown) => void },
): Promise<DnsServer> => {
  const { host = "127.0.0.1", onError } = options;
  const respond = responder(answer, onError);
  for (let attempt = 1; ; attempt += 1) {
    const udp = await udpListener(host, options.port ?? 0, respond, onError);
    try {
      const tcp = await tcpListener(host, udp.port, respond);
      return {
        host,
        port: udp.port,
        close: async () => {
          await Promise.all([udp.close(), tcp.close()]);
        },
      };
    } catch (error) {
      // The free port of UDP may be taken for TCP.
      await udp.close();
      if (options.port || attempt >= portAttempts) throw error;
    }
  }
};

type Respond = (question: Buffer, limitBytes: (edns: number) => number) => Buffer | undefined;

const responder =
  (answer: (name: string, type: string) => DnsAnswer, onError: (error: unknown) => void): Respond =>
  (bytes, limitBytes) => {
    let query: DecodedPacket;
    try {
      query = dns.decode(bytes);
    } catch {
      // Not even an id to answer to, or rubbish behind it: the header alone goes back.
      return bytes.length < 12 ? undefined : failure(bytes.readUInt16BE(0), responseCode.malformed);
    }
    const question = query.questions?.[0];
    if (query.type !== "query" || !question) return undefined;
    const edns = query.additionals?.find((record) => record.type === "OPT");
    const size = edns?.type === "OPT" ? edns.udpPayloadSize : 0;
    try {
      const given = answer(question.name, question.type);
      const encoded = dns.encode(packet(query, given, size > 0));
      if (encoded.length <= limitBytes(size)) return encoded;
      const flags = dns.AUTHORITATIVE_ANSWER | dns.TRUNCATED_RESPONSE;
      return dns.encode({ type: "response", id: query.id, flags, questions: query.questions });
    } catch (error) {
      onError(error);
      return failure(query.id ?? 0, responseCode.broken, query.questions);
    }
  };

const failure = (id: number, code: number, questions: Question[] = []): Buffer =>
  dns.encode({ type: "response", id, flags: code, questions });

const packet = (query: DecodedPacket, given: DnsAnswer, edns: boolean): Packet => {
  const code =
    given.outcome === "no-name" || given.outcome === "not-ours" ? responseCode[given.outcome] : 0;
  const name = query.questions?.[0]?.name ?? "";
  const empty = given.outcome === "no-name" || given.outcome === "no-data";
  return {
    type: "response",
    id: query.id,
    flags:
      code |
      ((query.flags ?? 0) & dns.RECURSION_DESIRED) |
      (given.outcome === "not-ours" ? 0 : dns.AUTHORITATIVE_ANSWER),
    questions: query.questions,
    answers: given.records.flatMap(onTheWire),
    authorities: empty ? [startOfAuthority(name, given.ttlSeconds)] : [],
    additionals: edns ? [optRecord] : [],
  };
};

const optRecord: Answer = {
  type: "OPT",
  name: ".",
  udpPayloadSize: 1232,
  extendedRcode: 0,
  ednsVersion: 0,
  flags: 0,
  flag_do: false,
  options: [],
};

/** Tells a resolver how long it may remember that there is nothing. */
const startOfAuthority = (name: string, ttl: number): Answer => ({
  type: "SOA",
  name: name.split(".").slice(-2).join("."),
  ttl,
  data: {
    mname: "ns-1.awsdns-01.org",
    rname: "awsdns-hostmaster.amazon.com",
    serial: 1,
    refresh: 7200,
    retry: 900,
    expire: 1209600,
    minimum: ttl,
  },
});

const unquoted = (value: string) => value.replace(/^"|"$/g, "");

const onTheWire = ({ name, type, ttlSeconds: ttl, value }: DnsRecord): Answer[] => {
  switch (type) {
    case "A":
    case "AAAA":
      return [{ type, name, ttl, data: value }];
    case "CNAME":
    case "NS":
    case "PTR":
      return [{ type, name, ttl, data: value.replace(/\.$/, "") }];
    case "TXT":
      return [{ type, name, ttl, data: unquoted(value) }];
    case "SOA":
      return [startOfAuthority(name, ttl)];
    default:
      return [];
  }
};

const udpListener = (
  host: string,
  port: number,
  respond: Respond,
  onError: (error: unknown) => void,
) =>
  new Promise<{ port: number; close: () => Promise<void> }>((resolve, reject) => {
    const socket = createSocket("udp4");
    socket.once("error", reject);
    socket.on("message", (message, peer) => {
      const reply = respond(message, (edns) => Math.max(edns, plainLimitBytes));
      if (reply) socket.send(reply, peer.port, peer.address);
    });
    socket.bind(port, host, () => {
      socket.off("error", reject);
      socket.on("error", onError);
      const close = () => new Promise<void>((done) => void socket.close(() => done()));
      resolve({ port: socket.address().port, close });
    });
  });

const tcpListener = (host: string, port: number, respond: Respond) =>
  new Promise<{ close: () => Promise<void> }>((resolve, reject) => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.setTimeout(idleMilliseconds, () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
      socket.on("error", () => socket.destroy());
      converse(socket, respond);
    });
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve({ close: () => closeServer(server, sockets) });
    });
  });

/** Every message over TCP has its length in front (RFC 1035, 4.2.2). */
const converse = (socket: Socket, respond: Respond) => {
  let pending = Buffer.alloc(0);
  socket.on("data", (chunk) => {
    pending = Buffer.concat([pending, chunk]);
    while (pending.length >= 2 && pending.length >= 2 + pending.readUInt16BE(0)) {
      const end = 2 + pending.readUInt16BE(0);
      const reply = respond(pending.subarray(2, end), () => 65535);
      pending = pending.subarray(end);
      if (!reply) continue;
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      socket.write(Buffer.concat([length, reply]));
    }
  });
};

const closeServer = (server: Server, sockets: Set<Socket>) =>
  new Promise<void>((resolve) => {
    server.close(() => resolve());
    for (const socket of sockets) socket.destroy();
  });

/** `address:port`, as `Resolver.setServers` of node:dns wants it. */
export const serverName = ({ host, port }: Pick<AddressInfo, "port"> & { host: string }) =>
  `${host}:${port}`;
