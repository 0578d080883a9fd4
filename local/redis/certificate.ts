import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";

/** As PEM. */
export interface Certified {
  key: string;
  certificate: string;
}

export interface Authority {
  /** What a client has to trust. */
  certificate: string;
  /** For a server that is reached under these names or IPv4 addresses. */
  issue(hosts: readonly string[]): Certified;
}

// Just enough of X.509 in DER to be believed by OpenSSL: RFC 5280 and X.690.
const der = (tag: number, ...contents: Uint8Array[]): Buffer => {
  const body = Buffer.concat(contents);
  const { length } = body;
  const bytes = length > 0xff ? [0x82, length >> 8, length & 0xff] : [0x81, length];
  return Buffer.concat([Buffer.from([tag, ...(length < 0x80 ? [length] : bytes)]), body]);
};
const sequence = (...items: Uint8Array[]) => der(0x30, ...items);
const bits = (content: Uint8Array, unused = 0) => der(0x03, Buffer.from([unused]), content);
const octets = (content: Uint8Array) => der(0x04, content);
const whole = (value: number) => der(0x02, Buffer.from([value]));
const yes = der(0x01, Buffer.from([0xff]));

/** Ready-made: 1.2.840.10045.4.3.2 and the names of fields and extensions. */
const identifier = (hex: string) => der(0x06, Buffer.from(hex, "hex"));
const ecdsaWithSha256 = sequence(identifier("2a8648ce3d040302"));
const commonName = identifier("550403");
const basicConstraints = identifier("551d13");
const keyUsage = identifier("551d0f");
const alternativeNames = identifier("551d11");

const nameOf = (text: string) =>
  sequence(der(0x31, sequence(commonName, der(0x0c, Buffer.from(text)))));

/** From 2000 to 2099: whatever clock a drill runs on is inside, and nothing here is kept. */
const validity = sequence(
  der(0x17, Buffer.from("000101000000Z")),
  der(0x18, Buffer.from("20991231235959Z")),
);

const hostName = (host: string) =>
  /^[\d.]+$/.test(host)
    ? der(0x87, Buffer.from(host.split(".").map(Number)))
    : der(0x82, Buffer.from(host));

const pem = (label: string, content: Buffer) =>
  `-----BEGIN ${label}-----\n${content.toString("base64").replace(/.{64}/g, "$&\n").trimEnd()}\n` +
  `-----END ${label}-----\n`;

interface Wanted {
  serial: number;
  subject: string;
  publicKey: KeyObject;
  extensions: Buffer[];
}

const issuer = "Nightshift local authority";

const signed = ({ serial, subject, publicKey, extensions }: Wanted, by: KeyObject): string => {
  const body = sequence(
    der(0xa0, whole(2)),
    whole(serial),
    ecdsaWithSha256,
    nameOf(issuer),
    validity,
    nameOf(subject),
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(...extensions)),
  );
  return pem("CERTIFICATE", sequence(body, ecdsaWithSha256, bits(sign("sha256", body, by))));
};

const keys = () => {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return { publicKey, privateKey, text: privateKey.export({ type: "pkcs8", format: "pem" }) };
};

/**
 * A certificate authority of this run alone, for encryption in transit as on AWS: there the clients trust
 * Amazon's, which every system knows; here they are told of this one.
 */
export const authority = (): Authority => {
  const own = keys();
  const isAuthority = sequence(basicConstraints, yes, octets(sequence(yes)));
  // keyCertSign alone.
  const signs = sequence(keyUsage, yes, octets(bits(Buffer.from([0x04]), 2)));
  let serial = 1;
  return {
    certificate: signed(
      { serial, subject: issuer, publicKey: own.publicKey, extensions: [isAuthority, signs] },
      own.privateKey,
    ),
    issue: (hosts) => {
      const made = keys();
      const names = sequence(alternativeNames, octets(sequence(...hosts.map(hostName))));
      serial += 1;
      const wanted = { serial, subject: "cache", publicKey: made.publicKey, extensions: [names] };
      return { key: String(made.text), certificate: signed(wanted, own.privateKey) };
    },
  };
};
