import { connect as connectPlainly } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import type { CacheAddress } from "../../local/redis/engine.ts";
import { commandReader, encode, ProtocolError } from "../../local/redis/protocol.ts";
import { servedCaches } from "../../local/redis/served.ts";
import { connect, kinds, type TrustedCaches } from "./redis-stage.ts";

const [first, second] = ["first-token-of-the-test", "second-token-of-the-test"];
const open: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

const stage = async (make: () => Promise<TrustedCaches>, tokens: string[]) => {
  const engine = await make();
  open.push(engine.close);
  const admission = { tokens, withoutToken: tokens.length === 0 };
  const address = await engine.create({ id: "cache", region: "eu-west-1", admission });
  const enter = async (token?: string, at: CacheAddress = address) => {
    const client = await connect(at, engine.authority, token);
    open.push(() => client.destroy());
    return client;
  };
  return { engine, address, enter };
};

describe.each(kinds)("a cache that is $name", ({ make, tellsTokens }) => {
  it("keeps what a client of its token writes, and lets nobody else in", async () => {
    const { enter } = await stage(make, [first]);
    const client = await enter(first);
    expect(await client.ping()).toBe("PONG");
    await client.set("session", "späť", { expiration: { type: "EX", value: 60 } });
    expect(await client.get("session")).toBe("späť");
    expect(await client.ttl("session")).toBe(60);
    expect([await client.incr("count"), await client.incrBy("count", 4)]).toEqual([1, 5]);
    expect(await client.set("count", "9", { condition: "NX" })).toBeNull();
    expect(await client.del(["session", "none"])).toBe(1);
    expect(await client.get("session")).toBeNull();
    await expect(enter(second)).rejects.toThrow("WRONGPASS");
    // Whoever shows nothing is connected and may ask for nothing.
    await expect(enter().then((stranger) => stranger.get("count"))).rejects.toThrow("NOAUTH");
  });

  it("takes two tokens at a time, and keeps who is in when the older one goes", async () => {
    const { engine, enter } = await stage(make, [first]);
    const old = await enter(first);
    await engine.admit("cache", { tokens: [first, second], withoutToken: false }, false);
    expect(await (await enter(first)).ping()).toBe("PONG");
    expect(await (await enter(second)).ping()).toBe("PONG");
    await engine.admit("cache", { tokens: [second], withoutToken: false }, false);
    expect(await old.ping()).toBe("PONG");
    await expect(enter(first)).rejects.toThrow("WRONGPASS");
    await engine.admit("cache", { tokens: [second], withoutToken: false }, true);
  });

  it("lets people in with and without the first token until access without one ends", async () => {
    const { engine, enter } = await stage(make, []);
    const before = await enter();
    await engine.admit("cache", { tokens: [first], withoutToken: true }, false);
    expect(await before.ping()).toBe("PONG");
    expect(await (await enter(first)).ping()).toBe("PONG");
    expect(await (await enter()).ping()).toBe("PONG");
    const stranger = enter(second).then((client) => client.ping());
    if (tellsTokens) await expect(stranger).rejects.toThrow("WRONGPASS");
    else expect(await stranger).toBe("PONG");
    await engine.admit("cache", { tokens: [first], withoutToken: false }, false);
    await expect(enter().then((client) => client.ping())).rejects.toThrow("NOAUTH");
    expect(await (await enter(first)).ping()).toBe("PONG");
  });

  it("loses what it kept with its power, and takes its token at the old address again", async () => {
    const { engine, enter } = await stage(make, [first]);
    const client = await enter(first);
    await client.set("session", "1");
    expect((await engine.vitals("cache")).connections).toBe(1);
    await engine.kill("cache");
    await engine.start("cache");
    const later = await enter(first);
    expect(await later.get("session")).toBeNull();
  });

  it("is not spoken to by a client that does not know its authority", async () => {
    const { address } = await stage(make, [first]);
    const stranger = servedCaches({ now: Date.now }).authority;
    await expect(connect(address, stranger, first)).rejects.toThrow(/certificate|signature/i);
  });
});

describe("our own cache server", () => {
  it("ends the connections of a token that is taken away, when it is told to, and no others", async () => {
    const { engine, enter } = await stage(async () => servedCaches({ now: Date.now }), [first]);
    const old = await enter(first);
    await engine.admit("cache", { tokens: [first, second], withoutToken: false }, false);
    const young = await enter(second);
    await engine.admit("cache", { tokens: [second], withoutToken: false }, true);
    await expect(old.ping()).rejects.toThrow();
    expect(await young.ping()).toBe("PONG");
    expect(await engine.vitals("cache")).toMatchObject({ connections: 1, refusedLogins: 0 });
  });

  it("leaves a caller without any answer while its region has no power", async () => {
    const { engine, enter } = await stage(async () => servedCaches({ now: Date.now }), [first]);
    const client = await enter(first);
    await engine.kill("cache");
    const answer = client.ping().then(
      () => "answered",
      () => "ended",
    );
    const silence = new Promise((resolve) => setTimeout(resolve, 50, "silence"));
    expect(await Promise.race([answer, silence])).toBe("silence");
    await engine.start("cache");
    expect(await answer).toBe("ended");
  });

  it("forgets an entry when its modelled time is over", async () => {
    let now = 1_000_000;
    const { enter } = await stage(async () => servedCaches({ now: () => now }), [first]);
    const client = await enter(first);
    await client.set("nonce", "1", { expiration: { type: "PX", value: 500 } });
    now += 499;
    expect(await client.exists("nonce")).toBe(1);
    now += 1;
    expect(await client.exists("nonce")).toBe(0);
  });

  it("answers restricted commands as unknown, and does not repeat what was sent", async () => {
    const { enter } = await stage(async () => servedCaches({ now: Date.now }), [first]);
    const client = await enter(first);
    const refusal = client.sendCommand(["CONFIG", "SET", "requirepass", second]);
    await expect(refusal).rejects.toThrow(/^ERR unknown command 'CONFIG'$/);
  });

  it("reads commands that arrive in pieces and answers each once, also in the old protocol", async () => {
    const engine = servedCaches({ now: Date.now, plain: true });
    open.push(engine.close);
    const admission = { tokens: [], withoutToken: true };
    const address = await engine.create({ id: "plain", region: "eu-west-1", admission });
    const socket = connectPlainly(address).setEncoding("utf8");
    open.push(() => void socket.destroy());
    let said = "";
    socket.on("data", (text: string) => (said += text));
    const lines = "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$2\r\n\r\n\r\n*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
    for (const character of `${lines}*2\r\n$3\r\nGET\r\n$1\r\nb\r\n`) socket.write(character);
    await expect.poll(() => said).toBe("+OK\r\n$2\r\n\r\n\r\n$-1\r\n");
    socket.write("GET a\r\n");
    await expect.poll(() => said).toContain("-ERR Protocol error");
  });
});

it("refuses a command whose length is beyond all reason before it reads it", () => {
  for (const bytes of ["*99999\r\n", "*1\r\n$999999999\r\n", "*1\r\n$-5\r\n", "*x\r\n"]) {
    expect(() => commandReader()(Buffer.from(bytes))).toThrow(ProtocolError);
  }
});

it("writes maps and missing values as each version of the protocol has them", () => {
  const reply = { map: [["a", null]] as [string, null][] };
  expect(encode(reply, 3).toString()).toBe("%1\r\n$1\r\na\r\n_\r\n");
  expect(encode(reply, 2).toString()).toBe("*2\r\n$1\r\na\r\n$-1\r\n");
});
