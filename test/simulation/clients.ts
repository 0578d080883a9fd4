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
  endpointProvider: ({ Region = "" }: { Region?: string }) => {
    let found = endpoints.get(Region);
    if (!found) {
      found = { url: new URL(`https://${Region}.amazonaws.invalid`) };
      endpoints.set(Region, found);
    }
    return found;
  },
};
