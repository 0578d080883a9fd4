/** A request to an AWS API, however it came. Header names are in lower case. */
export interface WireRequest {
  method: string;
  /** As on the wire: percent-encoded, without the query. */
  path: string;
  query: Record<string, string | string[] | null>;
  headers: Record<string, string>;
  body: Uint8Array | string;
}

export interface WireResponse {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array | string;
}

export const bodyText = (body: Uint8Array | string): string =>
  typeof body === "string" ? body : plainBytes(body).toString("utf8");

export const bodyBytes = (body: Uint8Array | string): Uint8Array =>
  typeof body === "string" ? Buffer.from(body, "utf8") : body;

/**
 * The same bytes in an array of their own. The SDK's JSON codec writes into a kind of Uint8Array
 * that turns itself into text and warns when it is copied, and its readers change the prototype of
 * the array they are given.
 */
export const plainBytes = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Who signed for what: the `Credential` of AWS Signature Version 4. Signatures are not checked. */
export interface Scope {
  accessKeyId: string;
  region: string;
  signingName: string;
}

/** Undefined for a request that is not signed. */
export const scopeOf = ({ headers, query }: WireRequest): Scope | undefined => {
  const credential =
    /Credential=([^,\s]+)/.exec(headers.authorization ?? "")?.[1] ?? query["X-Amz-Credential"];
  if (typeof credential !== "string") return undefined;
  const [accessKeyId = "", , ...rest] = decodeURIComponent(credential).split("/");
  const [region, signingName] = rest;
  if (rest.length === 3 && region && signingName) return { accessKeyId, region, signingName };
  // SigV4a signs for a set of regions and names them in a header instead of the scope.
  const firstRegion = headers["x-amz-region-set"]?.split(",")[0];
  if (rest.length !== 2 || !firstRegion || !region) return undefined;
  return { accessKeyId, region: firstRegion, signingName: region };
};

/** An upload of unknown length comes in chunks: length in hex, bytes, …, then trailing headers. */
export const withoutChunks = (request: WireRequest): Uint8Array | string => {
  const { headers, body } = request;
  if (!headers["content-encoding"]?.includes("aws-chunked")) return body;
  const bytes = Buffer.from(bodyBytes(body));
  const parts: Buffer[] = [];
  let position = 0;
  while (position < bytes.length) {
    const lineEnd = bytes.indexOf("\r\n", position);
    const size = Number.parseInt(bytes.toString("latin1", position, lineEnd), 16);
    if (lineEnd < 0 || !(size > 0)) break;
    parts.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    position = lineEnd + 2 + size + 2;
  }
  return Buffer.concat(parts);
};
