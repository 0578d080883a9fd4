import type {
  GetCallerIdentityCommandInput,
  GetCallerIdentityCommandOutput,
} from "@aws-sdk/client-sts";
import type { Call, Service, Surroundings } from "./service.ts";

/**
 * Who the caller is. `identities` are people by their access key; everybody else is one role for the
 * whole local cloud, because IAM is not modelled.
 */
export const sts = (
  surroundings: Surroundings,
  identities: Readonly<Record<string, string>> = {},
) => {
  const service: Service = {
    name: "sts",
    operations: {
      GetCallerIdentity: (
        _input: GetCallerIdentityCommandInput,
        call: Call,
      ): Omit<GetCallerIdentityCommandOutput, "$metadata"> => ({
        Account: surroundings.account,
        UserId: `AROALOCALLOCALLOCAL:${call.from}`,
        Arn:
          identities[call.accessKeyId ?? ""] ??
          `arn:aws:sts::${surroundings.account}:assumed-role/local/${call.from}`,
      }),
    },
  };
  return { service };
};
