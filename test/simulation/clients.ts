import { frugal } from "../../local/aws/transport.ts";

const endpoints = new Map<string, { url: URL }>();

/**
 * Client options of the simulation, for the calls that do go over the wire. One name for all services
 * of a region spares the working out of the right one from the rules of each service, since the local
 * AWS goes by the signature; and the middleware of a command is put together once.
 */
export const cheap = {
  ...frugal,
  cacheMiddleware: true,
  endpointProvider: ({ Region = "", Bucket = "" }: { Region?: string; Bucket?: string }) => {
    // S3's rules put the bucket into the endpoint, which no other service has.
    const place = `${Region}.amazonaws.invalid/${Bucket}`;
    let found = endpoints.get(place);
    if (!found) {
      found = { url: new URL(`https://${place}`) };
      endpoints.set(place, found);
    }
    return found;
  },
};
