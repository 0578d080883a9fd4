import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { createConnection } from "node:net";
import * as dns from "dns-packet";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { publicListeners } from "../../local/aws/elbv2-listener.ts";
import type { DnsAnswer } from "../../local/aws/route53-answers.ts";
import { httpProbe } from "../../local/aws/route53-probe.ts";
import { askInProcess, askServer, cachingResolver } from "../../local/dns/resolver.ts";
import type { DnsServer } from "../../local/dns/server.ts";
import { dnsServer } from "../../local/dns/server.ts";
import { timedOut } from "../../local/http.ts";

const none = { records: [], ttlSeconds: 900 };

const answer = (name: string, type: string): DnsAnswer => {
  const lower = name.toLowerCase();
  if (lower === "broken.example.com") throw new Error("a bug");
  if (lower === "long.example.com") {
    const value = (index: number) => `"${"x".repeat(200)}${index}"`;
    const records = [1, 2, 3, 4].map((index) => ({
      name,
      type,
      ttlSeconds: 60,
      value: value(index),
    }));
    return { outcome: "records", records, ttlSeconds: 60 };
  }
  if (lower === "app.example.com" && type === "A") {
    const records = [
      { name, type: "CNAME", ttlSeconds: 30, value: "home.elb.example.com" },
      { name: "home.elb.example.com", type: "A", ttlSeconds: 60, value: "127.0.1.10" },
    ];
    return { outcome: "records", records, ttlSeconds: 30 };
  }
  if (lower === "app.example.com") return { outcome: "no-data", ...none };
  return { outcome: lower.endsWith("example.com") ? "no-name" : "not-ours", ...none };
};

let server: DnsServer;
let errors: unknown[];

beforeEach(async () => {
  errors = [];
  server = await dnsServer(answer, { onError: (error) => errors.push(error) });
});
afterEach(() => server.close());

const resolver = () => {
  const made = new Resolver({ timeout: 500, tries: 1 });
  made.setServers([`127.0.0.1:${server.port}`]);
  return made;
};

const raw = (bytes: Buffer): Promise<Buffer> =>
  new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.on("message", (message) => {
      socket.close();
      resolve(message);
    });
    socket.send(bytes, server.port, "127.0.0.1");
  });

describe("the name server", () => {
  it("gives the addresses behind a CNAME to the machine's own resolver", async () => {
    expect(await resolver().resolve4("app.example.com", { ttl: true })).toEqual([
      { address: "127.0.1.10", ttl: 30 },
    ]);
  });

  it("tells a missing name from a missing type, and refuses what is not its own", async () => {
    await expect(resolver().resolve4("none.example.com")).rejects.toMatchObject({
      code: "ENOTFOUND",
    });
    await expect(resolver().resolveTxt("app.example.com")).rejects.toMatchObject({
      code: "ENODATA",
    });
    await expect(resolver().resolve4("example.org")).rejects.toMatchObject({ code: "EREFUSED" });
  });

  it("answers over TCP as well, when an answer is too long for a datagram", async () => {
    const query = dns.encode({
      type: "query",
      id: 7,
      questions: [{ type: "TXT", name: "long.example.com" }],
    });
    const short = dns.decode(await raw(query));
    expect(short).toMatchObject({ id: 7, flag_tc: true, answers: [] });
    expect(await resolver().resolveTxt("long.example.com")).toHaveLength(4);
  });

  it("survives rubbish, a half-sent message and a bug behind it", async () => {
    const rubbish = Buffer.from("00ff010000010000000000ff3f", "hex");
    expect(dns.decode(await raw(rubbish))).toMatchObject({ id: 255, rcode: "FORMERR" });
    const half = createConnection(server.port, "127.0.0.1");
    half.write(Buffer.from([0, 40, 1, 2]));
    await expect(resolver().resolve4("broken.example.com")).rejects.toMatchObject({
      code: "ESERVFAIL",
    });
    expect(errors).toMatchObject([{ message: "a bug" }]);
    half.destroy();
    expect(await resolver().resolve4("app.example.com")).toEqual(["127.0.1.10"]);
  });

  it("frees its port when it is closed", async () => {
    const second = await dnsServer(answer, { onError: () => undefined });
    await second.close();
    const third = await dnsServer(answer, { port: second.port, onError: () => undefined });
    expect(third.port).toBe(second.port);
    await third.close();
  });
});

describe("the caching resolver", () => {
  it("keeps an answer as long as its records allow, and asks once for many", async () => {
    let now = 0;
    let asked = 0;
    let address = "127.0.1.10";
    const cache = cachingResolver({
      now: () => now,
      ask: async () => {
        asked += 1;
        return { addresses: [address], ttlSeconds: 30 };
      },
    });
    await Promise.all([cache.resolve("a"), cache.resolve("a"), cache.resolve("a")]);
    expect(asked).toBe(1);
    address = "127.0.2.10";
    now = 29_999;
    expect(await cache.resolve("a")).toEqual(["127.0.1.10"]);
    now = 30_000;
    expect(await cache.resolve("a")).toEqual(["127.0.2.10"]);
    expect(asked).toBe(2);
  });

  it("does not remember a failure", async () => {
    let fails = true;
    const cache = cachingResolver({
      now: () => 0,
      ask: () => {
        if (fails) throw new Error("no answer");
        return Promise.resolve({ addresses: ["127.0.1.10"], ttlSeconds: 30 });
      },
    });
    await expect(cache.resolve("a")).rejects.toThrow("no answer");
    fails = false;
    expect(await cache.resolve("a")).toEqual(["127.0.1.10"]);
  });

  it("takes the smallest time to live of a chain, from the server and in process alike", async () => {
    const expected = { addresses: ["127.0.1.10"], ttlSeconds: 30 };
    expect(await askServer(server)("app.example.com")).toEqual(expected);
    expect(await askInProcess(answer)("app.example.com")).toEqual(expected);
    expect(await askServer(server)("none.example.com")).toMatchObject({ addresses: [] });
  });

  it("gives up on a silent server within its time", async () => {
    const silent = createSocket("udp4");
    const port = await new Promise<number>((resolve) => {
      silent.bind(0, "127.0.0.1", () => resolve(silent.address().port));
    });
    const ask = askServer({ host: "127.0.0.1", port, timeoutMilliseconds: 50, attempts: 2 });
    await expect(ask("app.example.com")).rejects.toMatchObject({ code: "ETIMEDOUT" });
    silent.close();
  });
});

const albName = "home-1.eu-west-1.elb.amazonaws.com";

describe("a health checker over real HTTP", () => {
  it("reads the answer of a load balancer by name or address, and fails on silence", async () => {
    let silent = false;
    const listeners = await publicListeners(
      {
        serve: async (_address, { path, headers }) => {
          if (silent) throw timedOut("home");
          return { status: 200, headers: {}, body: `${path} ${headers?.host}` };
        },
        onError: (error) => {
          throw error;
        },
      },
      ["127.0.1.11"],
    );
    const probe = httpProbe({
      timeoutMilliseconds: 200,
      port: listeners.port,
      resolve: async (host) => (host === albName ? ["127.0.1.11"] : []),
    });
    const target = { port: 80, path: "/role", hostHeader: "home", checker: "us-east-1" };
    try {
      const expected = { status: 200, body: "/role home" };
      expect(await probe({ ...target, host: albName })).toMatchObject(expected);
      expect(await probe({ ...target, host: "127.0.1.11" })).toMatchObject(expected);
      await expect(probe({ ...target, host: "none" })).rejects.toThrow("DNS resolution failed");
      silent = true;
      await expect(probe({ ...target, host: albName })).rejects.toMatchObject({
        code: "ETIMEDOUT",
      });
    } finally {
      await listeners.close();
    }
  });
});
