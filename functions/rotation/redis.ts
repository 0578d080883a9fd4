import { connect } from "node:tls";
import { sentence } from "../../shared/outcome.ts";
import type { Authenticate, Authenticated } from "../../shared/runtime.ts";

/** Of the whole exchange, connection included. */
const answerMilliseconds = 5000;

/** One command in the form of RESP, "Redis serialization protocol specification". */
const command = (...words: string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join("")}`;

/**
 * AUTH and PING on a connection of its own, over TLS with the name of the host proven, and never without.
 * Nothing of the server's answer is kept but its first word: it could repeat what it was sent.
 */
export const redisAuthenticate: Authenticate = ({ host, port }, token) =>
  new Promise<Authenticated>((resolve) => {
    const socket = connect({ host, port, servername: host, rejectUnauthorized: true });
    let said = "";
    const end = (answer: Authenticated) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(answerMilliseconds, () =>
      end({ is: "unreachable", why: "no answer in time" }),
    );
    socket.on("error", (error) => end({ is: "unreachable", why: sentence(error) }));
    socket.on("close", () => end({ is: "unreachable", why: "the connection was closed" }));
    socket.on("secureConnect", () => {
      const auth = token === null ? "" : command("AUTH", token);
      socket.write(`${auth}${command("PING")}`);
    });
    socket.on("data", (chunk: Buffer) => {
      said += chunk.toString("utf8");
      const lines = said.split("\r\n").slice(0, -1);
      const error = lines.find((line) => line.startsWith("-"));
      if (error) end({ is: "refused", why: error.slice(1).split(" ")[0] ?? "" });
      else if (lines.includes("+PONG")) end({ is: "in" });
    });
  });
