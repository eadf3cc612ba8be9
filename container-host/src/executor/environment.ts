import { MACHINES, type MachinePreset, RUNTIME_ENV } from "@acme/sdk/contract";
import type { RuntimeSpec } from "./executor.ts";

const MB = 1024 ** 2;
/** The share of a preset's memory that V8's heap may take. The rest is for buffers, code and stacks. */
const HEAP_SHARE = 0.75;

export const memoryBytes = (machine: MachinePreset): number =>
  Math.floor(MACHINES[machine].memory * 1024) * MB;

/** Returns Node's arguments for a preset. `memory`: its limit in bytes. */
export const nodeArguments = (memory: number): string[] => [
  `--max-old-space-size=${Math.floor((memory * HEAP_SHARE) / MB)}`,
  "--disable-warning=ExperimentalWarning",
];

/**
 * Returns the variables of a runtime. The environment's variables never override those that the runtime
 * needs.
 */
export const runtimeEnvironment = (
  spec: RuntimeSpec,
  base: Record<string, string | undefined>,
  own: { channel: string; channelToken: string; bundle: string; apiUrl: string },
): Record<string, string> => {
  const all = {
    NODE_ENV: "production",
    ...base,
    ...spec.env,
    [RUNTIME_ENV.channel]: own.channel,
    [RUNTIME_ENV.channelToken]: own.channelToken,
    [RUNTIME_ENV.bundle]: own.bundle,
    [RUNTIME_ENV.apiUrl]: own.apiUrl,
  };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
};
